"""The errors users see. Each derives from TinygradError and from the built-in a Python user would catch."""

__all__ = [
    "AnomalyError", "DTypeError", "DeviceError", "DivergenceError", "GradcheckError", "GraphError", "IndexRangeError",
    "InputError", "MissingToolError", "MutationError", "OutOfMemoryError", "ShapeError", "StateError", "TapeError",
    "TinygradError",
]  # fmt: skip


class TinygradError(Exception):
    """Base of every error this library raises on purpose."""


class ShapeError(TinygradError, ValueError):
    """Shapes that do not fit an operation."""


class IndexRangeError(TinygradError, IndexError):
    """An index outside the axis it selects from."""


class DTypeError(TinygradError, TypeError):
    """A dtype that is not supported, or not by this operation."""


class DeviceError(TinygradError, RuntimeError):
    """A device or backend that is missing, unknown, or mixed with another one."""


class OutOfMemoryError(DeviceError, MemoryError):
    """A device without room for another array; what was computed before is still valid."""


class GraphError(TinygradError, RuntimeError):
    """A computation graph used in a way it cannot serve: freed, non-scalar, not differentiable."""


class MutationError(GraphError):
    """A value the backward pass needs was overwritten after it was used."""


class TapeError(GraphError):
    """A step that cannot be recorded, or a replay under other conditions than those of the recording."""


class AnomalyError(TinygradError, FloatingPointError):
    """A NaN or an infinity appeared while ``detect_anomaly()`` was watching."""


class GradcheckError(TinygradError, AssertionError):
    """An analytic derivative disagrees with finite differences."""


class StateError(TinygradError, KeyError):
    """A state_dict or checkpoint that does not fit the model."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class InputError(TinygradError, ValueError):
    """Input from the user (a file, a size, an option) that cannot be used."""


class DivergenceError(InputError):
    """A training whose loss, gradient or weights are no longer finite numbers."""


class MissingToolError(TinygradError, RuntimeError):
    """An external tool is needed and not installed; the message says what to install."""
