"""The main module of a script whose objective runs in worker processes.

A function of a script is sent to a worker by value, with what it refers to. Within it pickle (ProcessPoolExecutor,
torch.save, joblib.dump) names functions and classes by their module, and so a worker has a main module with the same
ones in it. What else the script defines is had when it is asked for: then the worker loads the script as Python's
`spawn` does, under the name `__mp_main__`, as far as the line that would drive the study. Not before: scripts without
`if __name__ == "__main__":` would do in each worker what they do before the study.
"""

from __future__ import annotations

import importlib.util
import io
import multiprocessing
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from pickle import PicklingError
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mlflow_tune.errors import InputError

MAIN = "__main__"
LOADED_MAIN = "__mp_main__"  # what `spawn` calls it: so `if __name__ == "__main__":` does not hold
REMEDY = (
    "a worker process knows of the main module what the objective refers to, and that of a notebook, an interactive "
    "session or another machine cannot be loaded there: put it into a module, a .py file, and import it"
)


class MainReached(BaseException):
    """The main module that is being loaded has come to where it drives the study: all above that is there."""


@dataclass(frozen=True)
class Main:
    """Where the main module of a process comes from: a module's name or a file's path, neither where nothing has it."""

    name: str = ""
    path: str = ""
    argv: tuple[str, ...] = ()

    @property
    def loadable(self) -> bool:
        """Whether another process of this machine can load it."""
        return bool(self.name or self.path.endswith(".py"))


def main_of_this_process() -> Main:
    """Return the main module of this process, as Python tells it to processes that it spawns."""
    from multiprocessing.spawn import get_preparation_data

    told = get_preparation_data("mlflow-tune")
    path = str(told.get("init_main_from_path", ""))
    return Main(str(told.get("init_main_from_name", "")), path, tuple(told["sys_argv"]))


# --- sent ------------------------------------------------------------------------------------------------------------


def pickled_with_names(function: Callable[..., Any]) -> bytes:
    """Return the function, and by name what it refers to of the main module, as bytes for `unpickled`.

    Raises what cloudpickle raises.
    """
    try:
        return _dumped(function, _Names())
    except Exception:  # a name may lead to what cannot be sent, as a class around the one that is meant
        return _dumped(function, None)


class _Names(dict[str, Any]):
    """Functions and classes of the main module by name, filled while others of them are pickled before it."""

    def note(self, thing: type | FunctionType) -> None:
        """Keep what the main module has under the name of a function or class that it defines."""
        name = thing.__qualname__
        if thing.__module__ != MAIN or "<locals>" in name:
            return
        outer = name.partition(".")[0]
        held = vars(sys.modules[MAIN])
        if outer in held:
            self[outer] = held[outer]
            self[name] = held[outer] if name == outer else thing

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _dumped(function: Callable[..., Any], names: _Names | None) -> bytes:
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            if names is not None and isinstance(obj, type | FunctionType):
                names.note(obj)
            return super().reducer_override(obj)

    buffer = io.BytesIO()
    Pickler(buffer).dump((function, names))
    return buffer.getvalue()


# --- in the worker ---------------------------------------------------------------------------------------------------


def unpickled(data: bytes, main: Main) -> Any:
    """Return the function, and let this process's main module have what the caller's has."""
    replaced = sys.modules[MAIN]
    ours = sys.modules[MAIN] = sys.modules[LOADED_MAIN] = CallersMain(main, replaced)
    function, names = pickle.loads(data)  # noqa: S301 - it comes from the driver's own memory
    for name, thing in (names or {}).items():
        if "." not in name:
            vars(ours)[name] = thing
        elif isinstance(thing, type):
            thing.__qualname__ = name  # of a class within a class cloudpickle keeps the last name alone
    return function


class CallersMain(ModuleType):
    """The main module of a worker: what the objective refers to of the caller's, the rest when it is asked for."""

    def __init__(self, main: Main, replaced: ModuleType) -> None:
        super().__init__(MAIN)
        self.caller = main
        self.whole = not main.loadable
        self.replaced = replaced  # it must live on: the interpreter has borrowed it
        if main.path:
            self.__file__ = main.path  # processes that the objective spawns load it too
        self.__spec__ = ModuleSpec(main.name, None) if main.name else None

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__") and not self.whole:
            self.whole = True
            for key, thing in vars(_loaded(self.caller)).items():
                vars(self).setdefault(key, thing)
            if name in vars(self):
                return vars(self)[name]
        raise AttributeError(f"module {MAIN!r} has no attribute {name!r}")


_loading: list[Main] = []


def _loaded(main: Main) -> ModuleType:
    """Run the main module under the name that `spawn` gives it, as far as it drives no study; return it."""
    module = ModuleType(LOADED_MAIN)
    code = _code(main, module)
    sys.argv = [*main.argv]
    ours = sys.modules[LOADED_MAIN]
    sys.modules[LOADED_MAIN] = module  # while it runs; what pickle finds in it afterwards has been put into ours
    _loading.append(main)
    try:
        exec(code, vars(module))  # noqa: S102 - the script that this worker's driver runs
    except MainReached:
        pass
    finally:
        _loading.remove(main)
        sys.modules[LOADED_MAIN] = ours
    return module


def _code(main: Main, module: ModuleType) -> CodeType:
    """Return the code of the main module, and tell the module where it comes from."""
    if not main.name:
        module.__file__ = main.path
        return compile(Path(main.path).read_bytes(), main.path, "exec")
    spec = importlib.util.find_spec(main.name)
    code = spec.loader.get_code(main.name) if spec and spec.loader and hasattr(spec.loader, "get_code") else None
    if spec is None or code is None:
        raise ImportError(f"the main module {main.name!r} cannot be loaded")
    module.__spec__ = spec
    module.__package__ = spec.parent
    module.__file__ = spec.origin
    return code  # type: ignore[no-any-return]


def refuse_while_loading() -> None:
    """End the loading of a main module that comes to where it drives a study.

    Raises InputError in a process that Python itself has spawned: there nothing stops the loading in good order.
    """
    if _loading:
        raise MainReached
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError(
            "this process was spawned by the script and loads it: a study that is driven in it once more would have no "
            'end. Put what is to run once under `if __name__ == "__main__":`'
        )


def missing_from_main(error: BaseException) -> str:
    """Return the remedy when something of a main module that cannot be loaded is missing here, else ""."""
    main = sys.modules.get(MAIN)
    if not isinstance(main, CallersMain) or main.caller.loadable:
        return ""
    named = isinstance(error, AttributeError | PicklingError) and MAIN in str(error)
    return REMEDY if named or type(error).__name__ == "BrokenProcessPool" else ""
