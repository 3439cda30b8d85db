"""The files OBS Studio finds at its start: no questions asked, one scene with `live` in it, its WebSocket open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAME = "live"
"""Of scene collection, profile and source."""
SCENE = "Talk"
WIDTH_PX, HEIGHT_PX, FPS = 1280, 720, 30


def write(folder: Path, websocket_port: int, settings: dict[str, Any]) -> None:
    """Write the configuration.

    Args: folder becomes XDG_CONFIG_HOME; settings of the Media Source.
    """
    root = folder / "obs-studio"
    profile, scenes = root / "basic" / "profiles" / NAME, root / "basic" / "scenes"
    profile.mkdir(parents=True)
    scenes.mkdir(parents=True)
    (root / "global.ini").write_text(
        _ini(
            {
                "General": {"FirstRun": "true", "EnableAutoUpdates": "false", "CurrentTheme2": "Yami"},
                "Basic": {"Profile": NAME, "ProfileDir": NAME, "SceneCollection": NAME, "SceneCollectionFile": NAME},
                "BasicWindow": {"ShowSourceIcons": "true", "ShowListboxToolbars": "true", "ShowStatusBar": "false"},
                "OBSWebSocket": {
                    "FirstLoad": "false",
                    "ServerEnabled": "true",
                    "ServerPort": str(websocket_port),
                    "AuthRequired": "false",
                    "AlertsEnabled": "false",
                },
            }
        )
    )
    sizes = {"BaseCX": WIDTH_PX, "BaseCY": HEIGHT_PX, "OutputCX": WIDTH_PX, "OutputCY": HEIGHT_PX, "FPSCommon": FPS}
    video = {key: str(value) for key, value in sizes.items()}
    (profile / "basic.ini").write_text(_ini({"General": {"Name": NAME}, "Video": video}))
    (scenes / f"{NAME}.json").write_text(json.dumps(_collection(settings), indent=2))


def _ini(sections: dict[str, dict[str, str]]) -> str:
    lines = []
    for name, keys in sections.items():
        lines += [f"[{name}]", *(f"{key}={value}" for key, value in keys.items()), ""]
    return "\n".join(lines)


def _collection(settings: dict[str, Any]) -> dict[str, Any]:
    media = {"id": "ffmpeg_source", "versioned_id": "ffmpeg_source", "name": NAME, "settings": settings}
    item = {"name": NAME, "id": 1, "visible": True, "locked": False}
    scene = {"id": "scene", "versioned_id": "scene", "name": SCENE, "settings": {"items": [item], "id_counter": 1}}
    return {
        "name": NAME,
        "current_scene": SCENE,
        "current_program_scene": SCENE,
        "scene_order": [{"name": SCENE}],
        "sources": [media, scene],
    }
