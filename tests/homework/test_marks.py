"""Marks: what is between them is found and moved, and what is no mark is refused with its line."""

import pytest

from tinygrad_rnn.errors import InputError
from tinygrad_rnn.homework.marks import lenient_regions, regions_of, splice

TWO = """def f():
    ### BEGIN SOLUTION 1.1
    return 1
    ### END SOLUTION 1.1

### BEGIN YOURS
### END YOURS
"""


def test_regions_are_found_with_their_lines():
    regions = regions_of(TWO)
    assert list(regions) == ["1.1", "YOURS"]
    assert (regions["1.1"].begin, regions["1.1"].end, regions["1.1"].text) == (1, 3, "    return 1\n")
    assert regions["1.1"].indent == "    "


def test_spliced_is_what_was_chosen_and_nothing_else():
    other = (
        TWO.replace("return 1", "x = 2\n    return x")
        .replace("def f", "def g")
        .replace("YOURS\n###", "YOURS\ny = 3\n###")
    )
    both = regions_of(other)
    assert splice(TWO, {"1.1": both["1.1"]}) == TWO.replace("return 1", "x = 2\n    return x")
    assert "y = 3" in splice(TWO, both)
    assert "def f" in splice(TWO, both)
    assert splice(TWO, regions_of(TWO)) == TWO


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("### BEGIN SOLUTION 1.1\n", "line 1: the region 1.1 has no END"),
        ("\n### END SOLUTION 1.1\n", "line 2: .* it has no BEGIN"),
        ("### BEGIN SOLUTION 1.1\n### BEGIN SOLUTION 1.2\n", "line 2: .* 1.1, from line 1, has not ended"),
        ("### BEGIN SOLUTION 1.1\n### END SOLUTION 1.2\n", "the region that is open is 1.1"),
        ("### BEGIN YOURS\n### END YOURS\n### BEGIN YOURS\n### END YOURS\n", "line 3: .* in line 1"),
        ("### BEGIN SOLUTION one\n", "a task is called 1.2"),
        ("### BEGIN SOLUTION 2.7\n### END SOLUTION 2.7\n", "there is no task 2.7"),
        ("x = '''\n### BEGIN SOLUTION 1.1\n'''\n", "line 2: a mark inside a text"),
        ("x = 1  ### BEGIN SOLUTION 1.1\n", "stands alone"),
    ],
)
def test_what_is_wrong_with_marks_is_said_with_its_line(source, said):
    with pytest.raises(InputError, match=said):
        regions_of(source, {"1.1", "1.2", "YOURS"})


def test_marks_that_are_wrong_hide_no_others():
    more = TWO + "### BEGIN SOLUTION 1.2\n### BEGIN SOLUTION 1.3\n### END SOLUTION 1.3\n"
    assert list(lenient_regions(more)) == ["1.1", "YOURS", "1.3"]
    assert list(lenient_regions(TWO + TWO.replace("1.1", "1.4"))) == ["1.1", "1.4"]
    assert list(lenient_regions(TWO + "x = '''\n### BEGIN SOLUTION 1.1\n'''\n")) == ["YOURS"]
    assert lenient_regions("no marks") == lenient_regions("") == {}


def test_a_mistake_in_one_region_does_not_hide_the_others():
    broken = TWO.replace("return 1", "return (")
    assert list(lenient_regions(broken)) == ["1.1", "YOURS"]
    assert lenient_regions(TWO.replace("return 1", 'return """'))["1.1"].text == '    return """\n'


@pytest.mark.parametrize("sign", ["\x0c", "\x1c", "\x85", "\u2028"])
def test_signs_that_end_no_line_of_python_move_no_mark(sign):
    base = "def f():\n    ### BEGIN SOLUTION 1.1\n    return 0\n    ### END SOLUTION 1.1\n"
    own = f"def f():  # a{sign}b\n    ### BEGIN SOLUTION 1.1\n    return '{sign}'\n    ### END SOLUTION 1.1\n"
    region = regions_of(own)["1.1"]
    assert region.text == f"    return '{sign}'\n"
    assert splice(base, {"1.1": region}) == base.replace("return 0", f"return '{sign}'")


INDENTED = """class C:
    def f(self, x):
        \"\"\"Say what.\"\"\"
        ### BEGIN SOLUTION 1.1
        # first
        if x:
            y = [
                1,
    ]

            return y
        return 0
        ### END SOLUTION 1.1
"""
#: What editors make of it, and of nothing else.
EDITED = {
    "tabs": INDENTED.replace("    ", "\t"),
    "two spaces": INDENTED.replace("    ", "  "),
    "marks at the left": INDENTED.replace("        ###", "###"),
    "a comment at the left": INDENTED.replace("        # first", "# first"),
    "one # of a mark, as autopep8 leaves": INDENTED.replace("###", "#"),
    "spaces at the end of lines": INDENTED.replace("1.1\n", "1.1 \t\n").replace("]\n\n", "]\n   \n"),
    "no line end at the end": INDENTED.rstrip("\n"),
}


@pytest.mark.parametrize("case", EDITED)
def test_a_file_that_an_editor_has_indented_otherwise_does_what_it_did(case):
    base = INDENTED.replace("if x:", "if not x:")
    spliced = splice(base, lenient_regions(EDITED[case]))
    names = {}
    exec(compile(spliced, "spliced.py", "exec"), names)
    assert (names["C"]().f(1), names["C"]().f(0)) == ([1], 0)
    assert "### BEGIN SOLUTION 1.1\n" in spliced
    assert len(spliced.splitlines()) == len(INDENTED.splitlines())


def test_a_file_of_nothing_but_marks_is_read_once():
    """As many as fit into what may be handed in; to count each among all took minutes."""
    many = "".join(f"### BEGIN SOLUTION {number}.1\n### END SOLUTION {number}.1\n" for number in range(20_000))
    assert len(lenient_regions(many)) == 20_000
    assert lenient_regions(many + "### BEGIN SOLUTION 7.1\n### END SOLUTION 7.1\n").keys().isdisjoint({"7.1"})
