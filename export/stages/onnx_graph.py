"""torch → ONNX: uint8 images in, probabilities and embeddings out."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence

import onnx
import onnx_ir
import torch
from onnxscript.optimizer import fold_constants
from torch import Tensor, nn

from runtime.artifact.contract import INPUT_NAME, OUTPUT_NAMES, ModelContract

# The first with FP16 scales in Q/DQ, and within what TensorRT 10's parser reads.
OPSET = 19
FOLDED_BYTES = 2**30


class Deployable(nn.Module):
    """Classifier for the line: softmax inside, FP32 outputs whatever it computes in.

    Args:
        classifier: maps uint8 N×1×H×W to (logits N×C, embedding N×D).
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 N×1×H×W to probabilities N×C and embedding N×D, float32."""
        logits, embedding = self.classifier(image)
        return torch.softmax(logits.float(), dim=1), embedding.float()


def to_onnx(
    classifier: nn.Module, contract: ModelContract, *, half: bool = False
) -> onnx.ModelProto:
    """Export a classifier, with the contract in the file's metadata.

    Args:
        classifier: maps uint8 N×1×H×W to (logits, embedding), in evaluation mode.
        contract: the size to export at, and the labels.
        half: compute in FP16; input and outputs stay as they are.

    Returns:
        A checked model with a dynamic batch. Its tensors have the same names in FP32 and FP16.

    Raises:
        RuntimeError: torch gave another opset than was asked for.
    """
    module = Deployable(copy.deepcopy(classifier).cpu())
    return graph_of_module(module.half() if half else module, contract, OUTPUT_NAMES)


def graph_of_module(
    module: nn.Module, contract: ModelContract, outputs: Sequence[str]
) -> onnx.ModelProto:
    """Export a module that maps uint8 N×1×H×W to tensors named `outputs`, as `to_onnx` does."""
    height, width = contract.input.shape
    # Two images: a batch of one would be taken for a constant.
    example = torch.zeros(2, 1, height, width, dtype=torch.uint8)
    with _silent_exporter():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(outputs),
            dynamic_shapes={"image": {0: torch.export.Dim("N")}},
            verbose=False,
        )
        assert program is not None
        # By default large ones stay: the shuffled weights of an LSTM would be quantised as if they
        # were activations, which OpenVINO does not load.
        fold_constants(program.model, input_size_limit=FOLDED_BYTES, output_size_limit=FOLDED_BYTES)
        _name_by_place(program.model)
    model: onnx.ModelProto = program.model_proto
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset != OPSET:
        raise RuntimeError(f"torch exported opset {opset} instead of {OPSET}")
    _strip_provenance(model)
    onnx.helper.set_model_props(model, contract.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    return model


def _name_by_place(model: onnx_ir.Model) -> None:
    """Name nodes and tensors `conv_3` or `relu_11`: operator, and how many came before.

    The exporter's numbers differ between the FP32 and the FP16 graph of one network, where one's
    `val_106` is another tensor in the other. Casts, which only the FP16 graph has, count apart, so
    that ranges and layers found on the one graph mean the same on the other.
    """
    outputs = set(model.graph.outputs)
    counts: Counter[str] = Counter()
    for node in model.graph.all_nodes():
        kind = node.op_type.lower()
        node.name = f"{kind}_{counts[kind]}"
        counts[kind] += 1
        for place, value in enumerate(node.outputs):
            if value not in outputs:
                value.name = node.name if len(node.outputs) == 1 else f"{node.name}_{place}"


def _strip_provenance(model: onnx.ModelProto) -> None:
    """Drop the source lines that the exporter writes into every node: paths, not graph."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]


@contextlib.contextmanager
def _silent_exporter() -> Iterator[None]:
    """Keep the exporter's notes about packages that are not there off the terminal."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        # The exporter wraps whatever comes while it traces, Ctrl-C too.
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, KeyboardInterrupt):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        raise KeyboardInterrupt from error
    finally:
        logger.setLevel(level)
