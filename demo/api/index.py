"""The entry that Vercel runs: the whole application as one function.

On Vercel this folder's parent is the project's root directory and may have any name, so the package is loaded from
there under the name that its modules were written for.
"""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def _load_package() -> None:
    spec = spec_from_file_location("demo", _ROOT / "__init__.py", submodule_search_locations=[str(_ROOT)])
    assert spec is not None and spec.loader is not None
    package = module_from_spec(spec)
    sys.modules["demo"] = package
    spec.loader.exec_module(package)


_load_package()
_settings = import_module("demo.settings").load()
import_module("demo.logs").configure(_settings.log_level)
app = import_module("demo.application").create_app(_settings)
