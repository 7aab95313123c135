"""The node layer: which nodes there are."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .edit import CombineCoefficients, EditCoefficients, MixCoefficients
from .files import LoadCoefficients, SaveCoefficients
from .finish import PasteBack
from .load import LoadModels
from .portrait import Extract3DMM
from .preview import PreviewCoefficients
from .reference import Extract3DMMFromVideo, ReferenceBlink, ReferenceMotion
from .render import FaceRender, MappingNet
from .speech import AudioToMel, Blink, ExpNetNode, PoseVAENode
from .talking_head import TalkingHeadNode


class SadTalkerExtension(ComfyExtension):
    """What ``comfy_entrypoint`` returns."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            TalkingHeadNode,
            LoadModels,
            Extract3DMM,
            AudioToMel,
            Blink,
            ExpNetNode,
            PoseVAENode,
            CombineCoefficients,
            EditCoefficients,
            MixCoefficients,
            SaveCoefficients,
            LoadCoefficients,
            PreviewCoefficients,
            Extract3DMMFromVideo,
            ReferenceMotion,
            ReferenceBlink,
            MappingNet,
            FaceRender,
            PasteBack,
        ]
