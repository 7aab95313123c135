"""With the official pack: each frame's face is encoded by its networks and drawn again with another expression.

The coefficients of this pack have no vertices, so that the parts of the face cannot be told apart in them. The networks
draw the whole face; only its lower part is laid into the frame.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from ...dub.blend import lay_over, lower_face_mask
from ...dub.survey import Survey
from ...face.framing import OWN_SIZE
from ...flow import MODEL_FPS, Coefficients, Crop
from ...pack import Pack
from ...tracks.matching import stream_of
from .mapping import RADIUS
from .renderer import resize_frames


class NeuralDubber:
    """The lower face of one person, in whatever frame of a video."""

    def __init__(self, pack: Pack, survey: Survey) -> None:
        self.pack = pack
        rest = pack.extractor.extract(
            survey.rest.picture, survey.rest.points.to(survey.rest.picture), framing="crop", size=OWN_SIZE
        )
        self.own = rest.expression

    def draw(self, picture: Tensor, points: Tensor, speech: Coefficients, index: int) -> Tensor:
        """See ``dub.dubber.Dubber``."""
        face = self.pack.extractor.extract(picture, points.to(picture), framing="crop", size=OWN_SIZE)
        # The mapping network sees the frames around this one; the head's pose is this frame's in all of them.
        radius = math.ceil(RADIUS * speech.fps / MODEL_FPS) + 1
        first = max(index - radius, 0)
        expression = stream_of(speech, "expression")[first : index + radius + 1]
        around = replace(speech, expression=expression, pose=face.pose.expand(len(expression), -1))
        keypoints = self.pack.mapping.keypoints(face, around)
        source = self.pack.renderer.prepare(face, keypoints.source)
        frame = self.pack.renderer.render(source, keypoints.driving[index - first][None])
        box = face.crop
        crop = Crop(box.left, box.top, box.right, box.bottom, box.right - box.left, box.bottom - box.top)
        landmarks = points.to(picture) - points.new_tensor((crop.left, crop.top, 0)).to(picture)
        return lay_over(
            picture, crop, resize_frames(frame, crop.width, crop.height)[0], lower_face_mask(landmarks[None], crop)
        )
