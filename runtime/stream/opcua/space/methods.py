"""Methods of the standard: their arguments, checked before anything is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from asyncua import ua

from runtime.stream.opcua.space.definitions import Definitions
from runtime.stream.opcua.states import WrongStateError

Arguments = tuple[tuple[str, str], ...]
"""Names and data types; `[]` behind one that is an array."""

CAUSE: Arguments = (("Cause", "Int32"), ("CauseDescription", "String"))
ERROR: Arguments = (("Error", "Int32"),)
START: Arguments = (
    ("MeasId", "MeasIdDataType"),
    ("PartId", "PartIdDataType"),
    ("RecipeId", "RecipeIdExternalDataType"),
    ("ProductId", "ProductIdDataType"),
    ("Parameters", "BaseDataType[]"),
)
JOB: Arguments = (("JobId", "JobIdDataType"), *ERROR)
RECIPE: Arguments = (
    ("ExternalId", "RecipeIdExternalDataType"),
    ("InternalIdIn", "RecipeIdInternalDataType"),
)
INTERNAL: Arguments = (("InternalIdOut", "RecipeIdInternalDataType"),)
PREPARED: Arguments = (*INTERNAL, ("IsCompleted", "Boolean"), *ERROR)
RECIPE_FILTER: Arguments = (
    ("ExternalId", "RecipeIdExternalDataType"),
    ("ProductId", "ProductIdDataType"),
    ("IsPrepared", "Int32"),
    ("MaxResults", "UInt32"),
    ("StartIndex", "UInt32"),
    ("Timeout", "Int32"),
)
RECIPE_LIST: Arguments = (
    ("IsComplete", "Boolean"),
    ("ResultCount", "UInt32"),
    ("RecipeHandle", "UInt32"),
    ("RecipeList", "RecipeIdInternalDataType[]"),
    *ERROR,
)
RESULT_ID: Arguments = (("ResultId", "ResultIdDataType"), ("Timeout", "Int32"))
RESULT: Arguments = (("ResultHandle", "UInt32"), ("Result", "ResultDataType"), *ERROR)
RESULT_FILTER: Arguments = (
    ("ResultState", "Int32"),
    ("MeasId", "MeasIdDataType"),
    ("PartId", "PartIdDataType"),
    ("ExternalRecipeId", "RecipeIdExternalDataType"),
    ("InternalRecipeId", "RecipeIdInternalDataType"),
    ("ExternalConfigurationId", "ConfigurationIdDataType"),
    ("InternalConfigurationId", "ConfigurationIdDataType"),
    ("ProductId", "ProductIdDataType"),
    ("JobId", "JobIdDataType"),
    ("MaxResults", "UInt32"),
    ("StartIndex", "UInt32"),
    ("Timeout", "Int32"),
)
RESULT_LIST: Arguments = (
    ("IsComplete", "Boolean"),
    ("ResultCount", "UInt32"),
    ("ResultHandle", "UInt32"),
    ("ResultList", "ResultDataType[]"),
    *ERROR,
)

_NUMBERS = {
    "Int32": ua.VariantType.Int32,
    "UInt32": ua.VariantType.UInt32,
    "String": ua.VariantType.String,
    "Boolean": ua.VariantType.Boolean,
}

MethodHandler = Callable[..., Awaitable[Sequence[Any]]]
"""Does what a method says, with the values of its arguments; returns those of its outputs."""


def arguments(definitions: Definitions, wanted: Arguments) -> list[ua.Argument]:
    """Return arguments as the address space describes them."""
    return [
        ua.Argument(
            Name=name,
            DataType=definitions.data_type(kind.removesuffix("[]")),
            ValueRank=1 if kind.endswith("[]") else -1,
        )
        for name, kind in wanted
    ]


def method(
    definitions: Definitions, inputs: Arguments, outputs: Arguments, handler: MethodHandler
) -> Callable[..., Awaitable[Any]]:
    """Return a handler as asyncua calls it, behind checks of what a client sent.

    Wrong numbers and types of arguments, and calls in a state that does not allow them, are
    refused with the standard's status codes.
    """

    async def called(parent: ua.NodeId, *given: ua.Variant) -> Any:
        if len(given) != len(inputs):
            few = len(given) < len(inputs)
            codes = ua.StatusCodes
            return ua.StatusCode(codes.BadArgumentsMissing if few else codes.BadTooManyArguments)
        checked = [
            _fits(definitions, variant, kind)
            for variant, (_, kind) in zip(given, inputs, strict=True)
        ]
        if not all(checked):
            wrong = ua.StatusCodes.BadTypeMismatch
            return ua.CallMethodResult(
                StatusCode=ua.StatusCode(ua.StatusCodes.BadInvalidArgument),
                InputArgumentResults=[ua.StatusCode(0 if fits else wrong) for fits in checked],
            )
        try:
            values = await handler(*(variant.Value for variant in given))
        except WrongStateError:
            return ua.StatusCode(ua.StatusCodes.BadInvalidState)
        return [
            ua.Variant(value, _NUMBERS.get(kind, ua.VariantType.ExtensionObject))
            for value, (_, kind) in zip(
                values, ((n, k.removesuffix("[]")) for n, k in outputs), strict=True
            )
        ]

    return called


def _fits(definitions: Definitions, variant: ua.Variant, kind: str) -> bool:
    """Whether a value is of a type; structures and texts may be left out."""
    value = variant.Value
    if kind.endswith("[]"):
        return value is None or isinstance(value, list)
    if kind in _NUMBERS:
        if kind == "String":
            return value is None or isinstance(value, str)
        return isinstance(value, int) and variant.VariantType == _NUMBERS[kind]
    expected = ua.extension_objects_by_datatype[definitions.data_types[kind]]
    return value is None or isinstance(value, expected)
