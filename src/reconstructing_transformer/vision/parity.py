"""The library `transformers`' own Vision Transformer, with the weights of ours, so that the two can be compared."""

from torch import Tensor
from transformers import ViTConfig, ViTModel

from reconstructing_transformer.vision.model import ACTIVATIONS, ClassToken, EncoderLayer, VisionTransformer


def _their_config(model: VisionTransformer) -> ViTConfig:
    """Describe our model in their words. What they take for granted and we do not is said here, too."""
    embedding, first = model.embedding, model.layers[0]
    assert isinstance(first, EncoderLayer)
    (activation,) = (name for name, function in ACTIVATIONS.items() if function is first.MLP.activation)
    return ViTConfig(
        image_size=embedding.P * round(embedding.N**0.5),
        patch_size=embedding.P,
        num_channels=embedding.E.in_channels,
        hidden_size=embedding.E.out_channels,
        num_hidden_layers=len(model.layers),
        num_attention_heads=first.MSA.heads,
        intermediate_size=first.MLP.inner.out_features,
        hidden_act=activation,
        qkv_bias=first.MSA.U_qkv.bias is not None,
        layer_norm_eps=first.LN_1.eps,  # theirs is 1e-12 where nobody says otherwise
    )


def _their_layer(ours: EncoderLayer) -> dict[str, Tensor]:
    """A layer's weights by their names. Theirs has three matrices where U_qkv is one."""
    weights = {}
    for kind in ("weight", "bias"):
        packed = getattr(ours.MSA.U_qkv, kind)
        if packed is not None:
            for name, third in zip("qkv", packed.chunk(3), strict=True):
                weights[f"attention.{name}_proj.{kind}"] = third
        output = getattr(ours.MSA.U_msa, kind)
        weights[f"attention.o_proj.{kind}"] = ours.MSA.U_msa.weight.new_zeros(1) if output is None else output
        weights[f"mlp.fc1.{kind}"] = getattr(ours.MLP.inner, kind)
        weights[f"mlp.fc2.{kind}"] = getattr(ours.MLP.outer, kind)
    for name, norm in (("before", ours.LN_1), ("after", ours.LN_2)):
        weights |= {f"layernorm_{name}.weight": norm.g, f"layernorm_{name}.bias": norm.b}
    return weights


def copy_to_transformers(model: VisionTransformer) -> ViTModel:
    """Build the same model with `transformers`, and give it our weights: all of them, and no others.

    Where ours has no bias and theirs always has one, theirs is zero. Their model ends where our head begins: the first
    vector of its `last_hidden_state` is y of Eq. 4.

    Args:
        model: a Vision Transformer with a class token.

    Returns:
        Their model, in evaluation mode, of our model's type and on its device.

    Raises:
        ValueError: the model has a linear pooler in place of a class token; theirs has no such thing.
    """
    if not isinstance(model.pool, ClassToken):
        raise ValueError(
            f"transformers' model reads an image off its class token; got one with a {type(model.pool).__name__}. "
            'Build it with pooling="class"'
        )
    embedding = model.embedding
    assert embedding.x_class is not None
    theirs = ViTModel(_their_config(model), add_pooling_layer=False)
    ours = {
        "embeddings.cls_token": embedding.x_class,
        "embeddings.position_embeddings": embedding.E_pos,
        "embeddings.patch_embeddings.projection.weight": embedding.E.weight,
        "embeddings.patch_embeddings.projection.bias": embedding.E.weight.new_zeros(1)
        if embedding.E.bias is None
        else embedding.E.bias,
        "layernorm.weight": model.pool.LN.g,
        "layernorm.bias": model.pool.LN.b,
    }
    for i, layer in enumerate(model.layers):
        assert isinstance(layer, EncoderLayer)
        ours |= {f"layers.{i}.{name}": weight for name, weight in _their_layer(layer).items()}
    shapes = {name: weight.shape for name, weight in theirs.named_parameters()}
    theirs.to(device=embedding.E.weight.device, dtype=embedding.E.weight.dtype)
    theirs.load_state_dict({name: weight.detach().expand(shapes[name]) for name, weight in ours.items()})
    return theirs.eval()
