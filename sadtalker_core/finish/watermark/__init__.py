"""FRAMES -> marked FRAMES, and back: is there a mark, and what does it say.

``visible`` lays a text or a logo into a corner. ``invisible`` hides a message of eight characters (``payload``) in the
colours; ``detector`` reads it again, ``files`` does so in videos and pictures, as does
``python -m sadtalker_core.finish.watermark detect``.

The code is our own because the libraries that exist either need networks that have to be downloaded (trustmark), or
have not been kept up since 2023 (invisible-watermark, blind-watermark).
"""
