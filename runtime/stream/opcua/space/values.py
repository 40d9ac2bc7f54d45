"""Results of the line as structures of the standard."""

from __future__ import annotations

from typing import Any

from asyncua import ua

from runtime.stream.opcua.line import LineResult
from runtime.stream.opcua.space.definitions import RESULT_FIELDS, Definitions


def result_structure(definitions: Definitions, result: LineResult, run: str) -> Any:
    """Return a result as `ResultDataType`.

    Args:
        run: id of the stream.
    """
    named = {"MeasId": result.job.measurement, "PartId": result.job.part}
    named["ProductId"] = result.job.product
    given = {
        name: definitions.structure(f"{name}DataType", Id=value)
        for name, value in named.items()
        if value
    }
    recipe: dict[str, Any] = {"Id": result.recipe}
    if result.digest:
        recipe |= {"Hash": bytes.fromhex(result.digest), "HashAlgorithm": "SHA-256"}
    steps = result.verdict["steps_ns"]
    acquired = steps.get("capture")
    times = definitions.structure(
        "ProcessingTimesDataType",
        StartTime=result.began,
        EndTime=result.ended,
        AcquisitionDuration=None if acquired is None else acquired / 1e6,
        ProcessingDuration=(steps.get("total", 0) - (acquired or 0)) / 1e6,
    )
    return definitions.structure(
        "ResultDataType",
        ResultId=definitions.structure("ResultIdDataType", Id=result.id),
        HasTransferableDataOnFile=False,
        IsPartial=False,
        IsSimulated=False,
        ResultState=result.state,
        ExternalRecipeId=definitions.structure("RecipeIdExternalDataType", Id=result.recipe),
        InternalRecipeId=definitions.structure("RecipeIdInternalDataType", **recipe),
        InternalConfigurationId=definitions.structure("ConfigurationIdDataType", Id=run),
        JobId=definitions.structure("JobIdDataType", Id=result.job.id),
        CreationTime=result.ended,
        ProcessingTimes=times,
        ResultContent=[ua.Variant(text) for text in content_of(result)],
        **given,
    )


def content_of(result: LineResult) -> tuple[str, ...]:
    """Return what the result says: status, label, confidence, and the whole verdict as JSON."""
    verdict = result.verdict
    confidence = verdict.get("confidence")
    return (
        str(verdict["status"]),
        verdict.get("label") or "",
        "" if confidence is None else str(confidence),
        result.text,
    )


def result_fields(structure: Any) -> dict[str, ua.Variant]:
    """Return the fields of `ResultReadyEventType`, from a result's structure."""
    plain = {
        "IsPartial": ua.VariantType.Boolean,
        "IsSimulated": ua.VariantType.Boolean,
        "ResultState": ua.VariantType.Int32,
        "CreationTime": ua.VariantType.DateTime,
        "ResultContent": ua.VariantType.Variant,
    }
    fields = {}
    for name in RESULT_FIELDS:
        value = getattr(structure, name)
        kind = plain.get(name, ua.VariantType.ExtensionObject)
        fields[name] = ua.Variant(value, kind if value is not None else ua.VariantType.Null)
    return fields
