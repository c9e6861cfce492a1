"""convparity: one declarative spec, one set of weights, three frameworks, one verdict.

Every public name is listed in ``__init__.pyi``, and imported when it is first asked for. Importing
this imports no framework; each is imported when a module of it is first asked for. TensorFlow's
import, by whomever, is preceded by triton's, where both are installed.
"""

import lazy_loader

from convparity.impls import import_order

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

import_order.watch()
