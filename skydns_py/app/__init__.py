"""The composition root: settings become sources, tables, responders and servers, and run.

Nothing else knows the whole.
"""

from skydns_py.app.serving import serve
from skydns_py.app.world import World, picture

__all__ = ["World", "picture", "serve"]
