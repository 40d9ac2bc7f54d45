"""Heat maps of a stream's rejects, made after the verdict is out."""

from runtime.stream.heat_maps.document import HeatMapAccount, HeatMapLine, read_heat_maps
from runtime.stream.heat_maps.writer import FOLDER, INDEX, HeatMapWriter

__all__ = ["FOLDER", "INDEX", "HeatMapAccount", "HeatMapLine", "HeatMapWriter", "read_heat_maps"]
