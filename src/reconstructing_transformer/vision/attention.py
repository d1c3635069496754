"""Self-attention over patches (Dosovitskiy et al. 2021, Appendix A), with the Transformer's own attention."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.transformer import (
    fused_attention,
    is_recording,
    note,
    scaled_dot_product_attention,
)


class MultiHeadSelfAttention(nn.Module):
    """Several attentions side by side, in which every patch asks every patch.

    Queries, keys and values are made of the same vectors, so that one matrix U_qkv makes all three, for all heads. It
    is what `transformer.MultiHeadAttention` computes when its three inputs are one. W_Q, W_K and W_V, of which U_qkv
    consists, and U_msa start Xavier-uniform, each by itself; the biases start at zero.

    Args:
        D: width of the model.
        heads: number of heads, the paper's k; each is D_h = D/k wide.
        bias: whether the projections add a bias.

    Raises:
        ValueError: D is no multiple of the number of heads.
    """

    def __init__(self, D: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        if D % heads:
            raise ValueError(
                f"D must be a multiple of the number of heads, so that all are equally wide; got D={D}, {heads} heads"
            )
        self.heads = heads
        self.U_qkv = nn.Linear(D, 3 * D, bias)
        self.U_msa = nn.Linear(D, D, bias)
        for matrix in (*self.U_qkv.weight.chunk(3), self.U_msa.weight):
            nn.init.xavier_uniform_(matrix)
        if bias:
            nn.init.zeros_(self.U_qkv.bias)
            nn.init.zeros_(self.U_msa.bias)

    @deviation(
        "dosovitskiy2021-5",
        title="Biases",
        reason="Eqs. 5 and 8 have none. Like every published Vision Transformer we add one to each projection; "
        "`bias=False` gives the equations as they are printed.",
    )
    @implements("dosovitskiy2021-5")
    def project(
        self, z: Float[Tensor, "*batch N D"]
    ) -> tuple[Float[Tensor, "*batch k N D_h"], Float[Tensor, "*batch k N D_h"], Float[Tensor, "*batch k N D_h"]]:
        """[q, k, v] = z U_qkv, Eq. 5: queries, keys and values of all heads by one product.

        Args:
            z: one vector a patch.

        Returns:
            Queries, keys and values of each head.
        """
        q, k, v = rearrange(self.U_qkv(z), "... N (qkv k D_h) -> qkv ... k N D_h", qkv=3, k=self.heads)
        return q, k, v

    @implements("dosovitskiy2021-6", D_h=None)
    @implements("dosovitskiy2021-7")
    def attend(
        self,
        q: Float[Tensor, "*batch k N D_h"],
        k: Float[Tensor, "*batch k N D_h"],
        v: Float[Tensor, "*batch k N D_h"],
    ) -> tuple[Float[Tensor, "*batch k N D_h"], Float[Tensor, "*batch k N N"] | None]:
        """A = softmax(qkᵀ/√D_h) and SA(z) = Av, Eqs. 6 and 7: the Transformer's scaled dot-product attention.

        Args:
            q: queries of each head.
            k: keys of each head.
            v: values of each head.

        Returns:
            Each head's output, and the weights A, or None where nobody records and a kernel ran that never forms them.
        """
        attention = scaled_dot_product_attention if is_recording() else fused_attention
        SA, A = attention(q, k, v)
        return SA, A

    @implements("dosovitskiy2021-8")
    def forward(self, z: Float[Tensor, "*batch N D"]) -> Float[Tensor, "*batch N D"]:
        """MSA(z) = [SA_1(z); …; SA_k(z)] U_msa, Eq. 8: the heads side by side, and one projection.

        Args:
            z: one vector a patch.

        Returns:
            One vector a patch.
        """
        SA, _ = self.attend(*self.project(z))
        note(heads=SA)
        return self.U_msa(rearrange(SA, "... heads N D_h -> ... N (heads D_h)", heads=self.heads))
