"""What must be fast: rules, playouts and search, compiled to machine code.

All modules are named here, since they are compiled, kept and packaged as one: the cache goes by a
digest of this folder.
"""

from . import caching as caching
from . import features as features
from . import layout as layout
from . import patterns as patterns
from . import planes as planes
from . import playouts as playouts
from . import puct as puct
from . import rules as rules
from . import search as search
from . import tactics as tactics
