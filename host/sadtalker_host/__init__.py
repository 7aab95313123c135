"""Provisions a real ComfyUI in its own process and talks to it over its HTTP interface.

``places`` says where everything lies, ``environment`` makes it, ``server`` runs it, ``api`` talks to it; ``demo`` and
``commands`` are the programs beside this folder. Only ``api`` needs a package (aiohttp, which every ComfyUI brings);
the rest is the standard library, so that it runs before anything is installed.
"""
