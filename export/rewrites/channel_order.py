"""Rewriting of a graph with the channels of its maps reordered, cut, or filled up.

Every channel is followed from the node that computes it through concatenations, slices and
shuffles to the convolutions that read it. What only moves channels is dropped; convolutions take
the new order into their weights, and are cut into one for each set of channels that is read
together. Exact: every output is a sum of the same products, added in another order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from export.rewrites.graph import attribute, constants, rebuilt, shapes

# Every channel of the result depends on the same channel of the input alone, and zero stays zero.
CHANNELWISE = ("Relu", "LeakyRelu", "MaxPool", "AveragePool")

# A fuller map must not cost more than it saves.
MOST_FILLING = 1.4

FILLING = -1
"""Stands for a channel of zeros among indices of channels."""

Channel = tuple[int, int]
"""Number of a source, and the index of a channel in it."""


@dataclass(frozen=True)
class Shuffle:
    """Nodes that bring channels into another order.

    Args:
        origin: the tensor that is shuffled.
        inner: tensors between the nodes.
        order: for every channel of the result, the channel of `origin`.
    """

    origin: str
    inner: tuple[str, ...]
    order: Sequence[int]


class OutOfReachError(Exception):
    """Raised where a reader of moved channels cannot take them in another order."""


@dataclass
class _Source:
    """A map whose channels are computed.

    Args:
        tensor: its name in the old graph.
        channels: how many it has.
        nodes: a convolution, or a channelwise node that joins maps, and channelwise nodes after
            it; empty where the map is computed by others.
        whole: it must stay one tensor in the old order.
        parts: indices of channels that the same readers want, or `FILLING`, as they will lie; one
            tensor each.
    """

    tensor: str
    channels: int
    nodes: list[onnx.NodeProto]
    whole: bool = False
    parts: list[list[int]] = field(default_factory=list)

    def suffix(self, part: int) -> str:
        """Return the suffix for names of this part; empty where there is only one."""
        return f"_part{part}" if len(self.parts) > 1 else ""


@dataclass(frozen=True)
class _Join:
    """Tensors that a reader will read.

    Args:
        parts: (source, part) in the order of the concatenation.
        order: old index of every channel, or `FILLING`, as they will lie.
    """

    parts: tuple[tuple[int, int], ...]
    order: list[int]


def with_channels_in_order(
    model: onnx.ModelProto, shuffles: Mapping[str, Shuffle], *, lanes: int = 1
) -> onnx.ModelProto:
    """Return the same function without `shuffles`.

    Tensors that stay keep their names, also with channels in another order.

    Args:
        model: any float type, with inferred shapes; it is not changed.
        shuffles: by the name of the shuffled tensor.
        lanes: maps between convolutions are filled up with channels of zeros to a multiple of it.

    Raises:
        OutOfReachError: a node that needs the old order reads shuffled channels.
    """
    return _Rewriting(model, shuffles, lanes).run()


class _Rewriting:
    """Follows every channel to where it is computed, then writes the nodes anew."""

    def __init__(self, model: onnx.ModelProto, shuffles: Mapping[str, Shuffle], lanes: int) -> None:
        self.model = model
        self.shuffles = shuffles
        self.inner = {name for shuffle in shuffles.values() for name in shuffle.inner}
        self.lanes = lanes
        self.shapes = shapes(model)
        self.weights = constants(model)
        self.sources: list[_Source] = []
        self.origins: dict[str, list[Channel]] = {}
        """Old tensor → where each of its channels is computed."""
        self.wanted: dict[str, list[Channel]] = {}
        """First output of an old node → what it reads, in the old order."""
        self.joins: dict[str, _Join] = {}
        self.reads = Counter(name for node in model.graph.node for name in node.input)
        self.nodes: list[onnx.NodeProto] = []
        self.concatenated: dict[tuple[tuple[int, int], ...], str] = {}

    def run(self) -> onnx.ModelProto:
        graph = self.model.graph
        moving = {node.output[0] for node in graph.node if self._follow(node)}
        for output in graph.output:
            self._keep(output.name)
        self._cut()
        computed = {node.output[0]: source for source in self.sources for node in source.nodes}
        for node in graph.node:
            source = computed.get(node.output[0])
            if source is not None and node.output[0] == source.nodes[0].output[0]:
                self._write(source)
            elif source is None and node.output[0] not in moving:
                self.nodes.append(node)
        return rebuilt(self.model, self.nodes, self.weights)

    # Following

    def _follow(self, node: onnx.NodeProto) -> bool:
        """Note where the channels of the node's outputs come from; whether it only moves them."""
        output = node.output[0]
        if output in self.inner:
            return True
        if output in self.shuffles:
            shuffle = self.shuffles[output]
            if shuffle.origin not in self.origins:
                raise OutOfReachError
            origin = self.origins[shuffle.origin]
            self.origins[output] = [origin[index] for index in shuffle.order]
            return True
        known = [name for name in node.input if name in self.origins]
        if node.op_type == "Concat" and attribute(node, "axis") == 1 and known == list(node.input):
            self.origins[output] = [c for name in node.input for c in self.origins[name]]
            return True
        if node.op_type == "Split" and attribute(node, "axis", 0) == 1 and known:
            start = 0
            for name in node.output:
                end = start + self.shapes[name][1]
                self.origins[name] = self.origins[node.input[0]][start:end]
                start = end
            return True
        if known == list(node.input[:1]) and (
            node.op_type in CHANNELWISE or self._is_depthwise(node)
        ):
            self._go_on(node)
        elif self._is_dense_convolution(node):
            if known:
                self._read(node)
            self._compute(output, [node])
        else:
            for name in known:
                self._keep(name)
            for name in node.output:
                if len(self.shapes.get(name, ())) == 4 and self.shapes[name][1] > 0:
                    self._compute(name, [], whole=True)
        return False

    def _go_on(self, node: onnx.NodeProto) -> None:
        """A channelwise node: after the one convolution that it reads, or a join of its own."""
        name = node.input[0]
        source = self.sources[self.origins[name][0][0]]
        if source.nodes and source.tensor == name and self.reads[name] == 1:
            source.nodes.append(node)
            source.tensor = node.output[0]
            self.origins[node.output[0]] = self.origins[name]
        else:
            self._read(node)
            self._compute(node.output[0], [node])

    def _read(self, node: onnx.NodeProto) -> None:
        channels = self.origins[node.input[0]]
        if len(set(channels)) < len(channels):
            raise OutOfReachError
        self.wanted[node.output[0]] = channels

    def _compute(self, tensor: str, nodes: list[onnx.NodeProto], *, whole: bool = False) -> None:
        count = self.shapes[tensor][1]
        self.origins[tensor] = [(len(self.sources), index) for index in range(count)]
        self.sources.append(_Source(tensor, count, nodes, whole))

    def _keep(self, name: str) -> None:
        """Restore the old order of a tensor for a reader of it."""
        if name not in self.origins:
            return
        number = self.origins[name][0][0]
        source = self.sources[number]
        same = self.origins[name] == [(number, index) for index in range(source.channels)]
        if source.tensor != name or not same:
            raise OutOfReachError
        source.whole = True

    def _is_depthwise(self, node: onnx.NodeProto) -> bool:
        weight = self.weights.get(node.input[1]) if node.op_type == "Conv" else None
        return weight is not None and len(weight) == attribute(node, "group", 1) > 1

    def _is_dense_convolution(self, node: onnx.NodeProto) -> bool:
        dense = node.op_type == "Conv" and attribute(node, "group", 1) == 1
        return dense and all(name in self.weights for name in node.input[1:])

    # Cutting

    def _cut(self) -> None:
        """Cut sources into parts, and decide what each reader reads."""
        readers: dict[Channel, list[str]] = {}
        for reader, channels in self.wanted.items():
            for channel in channels:
                readers.setdefault(channel, []).append(reader)
        for number, source in enumerate(self.sources):
            alike: dict[tuple[str, ...], list[int]] = {}
            for index in range(source.channels):
                alike.setdefault(tuple(readers.get((number, index), ())), []).append(index)
            source.parts = sorted(alike.values())
            if source.nodes and not source.whole:
                source.parts = [self._filled(part) for part in source.parts]
            join = None
            if source.nodes and source.nodes[0].output[0] in self.wanted:
                join = self._join(source.nodes[0].output[0])
            if join is not None and not self._is_dense_convolution(source.nodes[0]):
                # Its channels lie as those that it reads.
                if len(source.parts) > 1:
                    raise OutOfReachError
                source.parts = [join.order]
            if (source.whole or not source.nodes) and source.parts != [[*range(source.channels)]]:
                raise OutOfReachError
        for reader in self.wanted:
            self._join(reader)

    def _filled(self, part: list[int]) -> list[int]:
        filled = [*part, *[FILLING] * (-len(part) % self.lanes)]
        return filled if len(filled) <= MOST_FILLING * len(part) else part

    def _join(self, reader: str) -> _Join:
        """Return the tensors that this reader reads: whole parts, in the order of first use."""
        if reader not in self.joins:
            channels = self.wanted[reader]
            part_of = {
                (number, index): (number, part)
                for number in {number for number, _ in channels}
                for part, indices in enumerate(self.sources[number].parts)
                for index in indices
            }
            parts = tuple(dict.fromkeys(part_of[channel] for channel in channels))
            old = {channel: index for index, channel in enumerate(channels)}
            order = [
                old.get((number, index), FILLING)
                for number, part in parts
                for index in self.sources[number].parts[part]
            ]
            self.joins[reader] = _Join(parts, order)
        return self.joins[reader]

    # Writing

    def _write(self, source: _Source) -> None:
        first = source.nodes[0]
        join = self.joins.get(first.output[0])
        name = first.input[0] if join is None else self._concatenate(join, first)
        for part, rows in enumerate(source.parts):
            last = name
            for node in source.nodes:
                columns = None
                if node is first and join is not None and self._is_dense_convolution(node):
                    columns = join.order
                new = self._written(node, last, rows, columns, source.suffix(part))
                self.nodes.append(new)
                last = new.output[0]

    def _concatenate(self, join: _Join, reader: onnx.NodeProto) -> str:
        names = [
            self.sources[number].tensor + self.sources[number].suffix(part)
            for number, part in join.parts
        ]
        if len(names) == 1:
            return names[0]
        if join.parts not in self.concatenated:
            joined = f"{reader.output[0]}_joined"
            node = helper.make_node("Concat", names, [joined], f"node_{joined}", axis=1)
            self.nodes.append(node)
            self.concatenated[join.parts] = joined
        return self.concatenated[join.parts]

    def _written(
        self,
        node: onnx.NodeProto,
        name: str,
        rows: Sequence[int],
        columns: Sequence[int] | None,
        suffix: str,
    ) -> onnx.NodeProto:
        """The node for some channels of its result, with the weights for them."""
        new = onnx.NodeProto()
        new.CopyFrom(node)
        new.name += suffix
        new.input[0] = name
        new.output[0] += suffix
        if node.op_type != "Conv":
            return new
        for position, old in enumerate(node.input[1:], start=1):
            value = _chosen(self.weights[old], rows)
            if position == 1 and columns is not None:
                value = _chosen(value.swapaxes(0, 1), columns).swapaxes(0, 1)
            if np.array_equal(value, self.weights[old]):
                continue
            # One that others read too must stay as it is.
            suffix = suffix or ("" if self.reads[old] == 1 else f"_for_{node.name}")
            stem, dot, kind = old.rpartition(".")
            new.input[position] = f"{stem}{suffix}{dot}{kind}"
            self.weights[new.input[position]] = np.ascontiguousarray(value)
        if attribute(node, "group", 1) > 1:
            for entry in new.attribute:
                if entry.name == "group":
                    entry.i = len(rows)
        return new


def _chosen(values: NDArray[Any], indices: Sequence[int]) -> NDArray[Any]:
    """The rows called `indices`; zeros for `FILLING`."""
    rows = np.asarray(indices)
    chosen: NDArray[Any] = values[np.maximum(rows, 0)]
    chosen[rows == FILLING] = 0
    return chosen
