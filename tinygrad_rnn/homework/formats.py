"""What other people's graders can be given, and their words for it."""

__all__ = ["FORMATS", "VISIBILITIES"]

#: Whose grader an assignment can be written for.
FORMATS = ("gradescope", "classroom", "nbgrader", "otter")
#: When students see the result of a check on Gradescope.
VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
