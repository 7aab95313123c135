"""The node layer: the list of the nodes."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .driving import Extract3DMMFromVideo, ReferenceBlink, ReferenceMotion
from .dub import DubVideo
from .edit import CombineCoefficients, EditCoefficients, MixCoefficients
from .enhance import DetailTransfer, Enhance, LoadRestorer
from .evaluate import Evaluate
from .expression import ExpressionEditor, Idle
from .faces import TalkingFaces
from .files import LoadCoefficients, SaveCoefficients
from .finish import CutOut, PasteBack
from .load import LoadModels
from .portrait import Extract3DMM
from .preview import PreviewCoefficients, PreviewKeypoints
from .render import FaceRender, MappingNet
from .speech import AudioToMel, Blink, ExpNetNode, PoseVAENode
from .talking_head import TalkingHeadNode
from .watermark import DetectWatermark, Watermark


class SadTalkerExtension(ComfyExtension):
    """What ``comfy_entrypoint`` returns."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            TalkingHeadNode,
            TalkingFaces,
            DubVideo,
            LoadModels,
            Extract3DMM,
            AudioToMel,
            Blink,
            ExpNetNode,
            PoseVAENode,
            CombineCoefficients,
            EditCoefficients,
            MixCoefficients,
            ExpressionEditor,
            Idle,
            SaveCoefficients,
            LoadCoefficients,
            PreviewCoefficients,
            PreviewKeypoints,
            Extract3DMMFromVideo,
            ReferenceMotion,
            ReferenceBlink,
            MappingNet,
            FaceRender,
            PasteBack,
            CutOut,
            LoadRestorer,
            Enhance,
            DetailTransfer,
            Watermark,
            DetectWatermark,
            Evaluate,
        ]
