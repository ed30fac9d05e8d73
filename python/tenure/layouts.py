"""Layouts of structures: slots and fields by name, declared once and checked as they are declared."""
import collections.abc
import struct

from . import _native

# As the standard library's `struct` packs them.
_CODES = {"bool": "?", "int8": "b", "uint8": "B", "int16": "h", "int32": "i", "int64": "q",
          "float16": "e", "float32": "f", "float64": "d"}


class StructLayout:
    """A layout: `size` bytes of plain data and so many reference slots. `slots` are names with the
    numbers of slots, `fields` names with (element type, place in bytes), or (element type, place, count).
    ValueError where one lies outside, overlaps another, is not aligned, or has another's name."""

    def __init__(self, name: str, size: int = 0, references: int = 0,
                 slots: collections.abc.Mapping[str, int] | None = None,
                 fields: collections.abc.Mapping[str, tuple] | None = None):
        self._slots = dict(slots or {})
        self._fields = {key: tuple(field) for key, field in (fields or {}).items()}
        for key, (element, *_) in self._fields.items():
            if element not in _CODES:
                raise ValueError(f"the field {key} of {name} is of {element}; it takes one of "
                                 + ", ".join(_CODES))
        self._native = _native.StructLayout(
            name, size, references, list(self._slots.items()),
            [(key, element, place, *(count or [1]))
             for key, (element, place, *count) in self._fields.items()])

    @property
    def name(self) -> str:
        return self._native.name

    @property
    def size(self) -> int:
        """Bytes of plain data."""
        return self._native.size

    def slot(self, name: str) -> int:
        """The number of a reference slot."""
        return self._slots[name]

    def get(self, object: "_native.GCObject", name: str) -> object:
        """What a field holds, or whom a slot refers to. Raises ValueError for an object of another
        layout, KeyError for another name."""
        self._native.require(object)
        if name in self._slots:
            return object.get_reference(self._slots[name])
        code, place, count = self._packing(name)
        values = struct.unpack_from(f"={count}{code}", memoryview(object), place)
        return values[0] if len(self._fields[name]) == 2 else list(values)

    def set(self, object: "_native.GCObject", name: str, value: object) -> None:
        """Likewise; TypeError or ValueError where the object is sealed."""
        self._native.require(object)
        if name in self._slots:
            object.set_reference(self._slots[name], value)
            return
        code, place, count = self._packing(name)
        values = [value] if len(self._fields[name]) == 2 else list(value)
        struct.pack_into(f"={count}{code}", memoryview(object), place, *values)

    def _packing(self, name):
        element, place, *count = self._fields[name]
        return _CODES[element], place, count[0] if count else 1
