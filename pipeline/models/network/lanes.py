"""Sixteen float32 numbers side by side, as one value inside numba functions.

Why not leave it to the compiler: automatic vectorisation changes with the processor and stops at the first loop it
cannot see through. Here the width is in the source, every operation is plain IEEE arithmetic (no fastmath, no
contraction) and sums run in the order of the loops, so the bytes are the same on every processor; LLVM only chooses
whether sixteen lanes take one register or four.

A Tile is a tuple of ROWS Lanes: the accumulators that stay in registers during a matrix product.
"""

# ruff: noqa: ANN001, ANN201, ANN202, RET503 (numba calls these functions with its own types and LLVM values)

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16
ROWS = 8

Tile = tuple  # in annotations

_float = ir.FloatType()
_vector = ir.VectorType(_float, LANES)


class LanesType(types.Type):
    """The numba type of sixteen float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """Lanes are one LLVM vector value."""

    def __init__(self, manager, numba_type) -> None:
        super().__init__(manager, numba_type, _vector)


lanes_type = LanesType()
tile_type = types.UniTuple(lanes_type, ROWS)


def aligned(*shape: int) -> np.ndarray:
    """Zeros of float32 that begin on a 64-byte line, so that no Lanes straddle two lines."""
    size = int(np.prod(shape))
    room = np.zeros(size + 16, dtype=np.float32)
    start = (-room.ctypes.data % 64) // room.itemsize
    return room[start : start + size].reshape(shape)


def padded(size: int, unit: int) -> int:
    """The next multiple of unit."""
    return -(-size // unit) * unit


def _address(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _strided(context, builder, array_type, array, start, stride):
    steps = [builder.mul(stride, stride.type(k)) for k in range(ROWS)]
    return [_address(context, builder, array_type, array, builder.add(start, step)) for step in steps]


def _load(builder, pointer):
    return builder.load(builder.bitcast(pointer, _vector.as_pointer()), align=4)


def _store(builder, value, pointer):
    builder.store(value, builder.bitcast(pointer, _vector.as_pointer()), align=4)


def _splat(builder, number):
    single = builder.insert_element(ir.Constant(_vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(single, ir.Constant(_vector, ir.Undefined), zeros)


def _gate(builder, value, gate):
    """value where gate is positive or not a number, else 0."""
    zero = ir.Constant(_vector, [0.0] * LANES)
    return builder.select(builder.fcmp_ordered("<=", gate, zero), zero, value)


@intrinsic
def splat(typing, number):
    """The same number in every lane."""

    def build(context, builder, signature, arguments):
        return _splat(builder, context.cast(builder, arguments[0], signature.args[0], types.float32))

    return lanes_type(number), build


@intrinsic
def load(typing, array, index):
    """array[index : index + LANES] of a C-contiguous float32 array, counted flat."""

    def build(context, builder, signature, arguments):
        return _load(builder, _address(context, builder, signature.args[0], *arguments))

    return lanes_type(array, types.intp), build


@intrinsic
def store(typing, array, index, value):
    """array[index : index + LANES] = value."""

    def build(context, builder, signature, arguments):
        _store(builder, arguments[2], _address(context, builder, signature.args[0], *arguments[:2]))
        return context.get_dummy_value()

    return types.void(array, types.intp, value), build


@intrinsic
def square_root(typing, value):
    """The correctly rounded square root of every lane."""

    def build(context, builder, signature, arguments):
        name = f"llvm.sqrt.v{LANES}f32"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_vector, [_vector]), name)
        return builder.call(function, arguments)

    return lanes_type(value), build


@intrinsic
def gate(typing, value, by):
    """value where by is positive or not a number, else 0: ReLU (by itself) and its derivative (by the output).

    Takes two Lanes or two Tiles.
    """

    def build(context, builder, signature, arguments):
        if signature.return_type == lanes_type:
            return _gate(builder, *arguments)
        rows, bys = (cgutils.unpack_tuple(builder, tile, ROWS) for tile in arguments)
        return cgutils.pack_array(builder, [_gate(builder, *pair) for pair in zip(rows, bys, strict=True)])

    return value(value, by), build


@intrinsic
def fill(typing, value):
    """A Tile with the same Lanes in every row."""

    def build(context, builder, signature, arguments):
        return cgutils.pack_array(builder, [arguments[0]] * ROWS)

    return tile_type(value), build


@intrinsic
def load_tile(typing, array, start, stride):
    """Row k is array[start + k * stride :]."""

    def build(context, builder, signature, arguments):
        pointers = _strided(context, builder, signature.args[0], *arguments)
        return cgutils.pack_array(builder, [_load(builder, pointer) for pointer in pointers])

    return tile_type(array, types.intp, types.intp), build


@intrinsic
def store_tile(typing, array, start, stride, tile):
    """array[start + k * stride :] = row k."""

    def build(context, builder, signature, arguments):
        pointers = _strided(context, builder, signature.args[0], *arguments[:3])
        for row, pointer in zip(cgutils.unpack_tuple(builder, arguments[3], ROWS), pointers, strict=True):
            _store(builder, row, pointer)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, tile), build


@intrinsic
def add_outer(typing, tile, column, start, stride, row):
    """Row k of the tile plus column[start + k * stride] * row: one rank-one term of a matrix product."""

    def build(context, builder, signature, arguments):
        tile, *place, lanes = arguments
        pointers = _strided(context, builder, signature.args[1], *place)
        rows = cgutils.unpack_tuple(builder, tile, ROWS)
        products = [builder.fmul(_splat(builder, builder.load(pointer)), lanes) for pointer in pointers]
        return cgutils.pack_array(builder, [builder.fadd(*pair) for pair in zip(rows, products, strict=True)])

    return tile_type(tile, column, types.intp, types.intp, row), build


def _arithmetic(python_operator, instruction: str) -> None:
    """Teach numba one operator on two Lanes."""

    @intrinsic
    def apply(typing, left, right):
        def build(context, builder, signature, arguments):
            return getattr(builder, instruction)(*arguments)

        return lanes_type(left, right), build

    @overload(python_operator, inline="always")
    def on_lanes(left, right):
        if left == lanes_type and right == lanes_type:
            return lambda left, right: apply(left, right)


for _operator, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_operator, _instruction)


def _feature(context, builder, array_type, array, place, unit):
    """Feature `unit` of the sample that begins at `place`: of all lanes in (n, h), of each lane in (n, h, LANES)."""
    if array_type.ndim == 2:
        return _splat(builder, builder.load(_address(context, builder, array_type, array, builder.add(place, unit))))
    own = builder.add(place, builder.mul(unit, unit.type(LANES)))
    return _load(builder, _address(context, builder, array_type, array, own))


def _samples(context, builder, features_type, features, places_type, places, unit):
    for k in range(ROWS):
        place = builder.load(_address(context, builder, places_type, places, unit.type(k)))
        yield _feature(context, builder, features_type, features, place, unit)


@intrinsic
def add_features(typing, tile, features, places, unit, weight):
    """Row k of the tile plus feature `unit` of the sample at places[k] times weight: one term of a prediction."""

    def build(context, builder, signature, arguments):
        tile, features, places, unit, weight = arguments
        samples = _samples(context, builder, signature.args[1], features, signature.args[2], places, unit)
        rows = zip(cgutils.unpack_tuple(builder, tile, ROWS), samples, strict=True)
        return cgutils.pack_array(builder, [builder.fadd(row, builder.fmul(x, weight)) for row, x in rows])

    return tile_type(tile, features, places, types.intp, weight), build


@intrinsic
def add_slopes(typing, total, features, places, unit, tile):
    """total plus feature `unit` of each sample at places[k] times row k of the tile, in this order."""

    def build(context, builder, signature, arguments):
        total, features, places, unit, tile = arguments
        samples = _samples(context, builder, signature.args[1], features, signature.args[2], places, unit)
        for row, x in zip(cgutils.unpack_tuple(builder, tile, ROWS), samples, strict=True):
            total = builder.fadd(total, builder.fmul(x, row))
        return total

    return lanes_type(total, features, places, types.intp, tile), build
