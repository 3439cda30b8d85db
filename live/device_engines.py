"""Builds the device's engine that a preset names: networks as modules, tables and graphs on one card.

Says in a line what it chose; a card with too little memory gets less (no restorer, fewer faces at once), said aloud.
Knows which parts exist and what each needs; opens no input or output.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch

from live.config import Preset
from live.engines import SHARED, identities_of, identity_shape, networks_of
from live.errors import ModelError
from live.faces.masker import Masker
from live.nets.backends import Present
from live.nets.entry import Entry
from live.nets.opening import Opener
from live.nets.place import Place
from live.nets.precision import ladder
from live.nets.selftest import choose_precision, facts_of
from live.nets.torch_graph import TorchGraph, prepare
from live.nets.graph import read_graph
from live.resources import models_dir
from live.swap.device.contract import Wear
from live.swap.device.engine import TRACKS, DeviceEngine, Networks
from live.swap.device.mesh import MeshWear
from live.swap.device.network import NetworkWear, PatchModule, Restoring
from live.swap.mesh.engine import MeshOptions
from live.swap.network import NetworkOptions

log = logging.getLogger(__name__)
