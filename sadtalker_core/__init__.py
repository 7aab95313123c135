"""SadTalker without ComfyUI: ``flow`` holds the nouns, ``pipeline`` the arrows, each folder one stage."""
