"""Settings of the language models that the pipeline pretrains itself: one tokenizer and one order of rows a ladder."""

from typing import Annotated

from pydantic import Field, model_validator

from pipeline.core.config import Block, Count, NonNegative, Positive, Seed
from pipeline.core.files import File


class Corpus(File):
    """A corpus of documents in data/ or in the mirror, and its share of the training rows."""

    share: Positive


class Network(Block):
    """Shape of a GPT-NeoX network, and its highest learning rate."""

    layers: Count
    hidden: Count
    heads: Count
    intermediate: Count
    learning_rate: Positive

    @model_validator(mode="after")
    def _heads_divide_the_hidden_size(self) -> "Network":
        if self.hidden % (2 * self.heads):
            raise ValueError(
                f"hidden is {self.hidden}, no even multiple of the {self.heads} heads; rotary positions need one"
            )
        return self


class Pretrain(Block):
    """What all networks of the ladder share (corpora, tokenizer, tokens, optimiser), and the networks."""

    seed: Seed
    corpora: Annotated[dict[str, Corpus], Field(min_length=1)]
    vocabulary: Annotated[int, Field(ge=257)]  # the separator, the bytes, then merges
    context: Annotated[int, Field(ge=8)]
    tokens: Count
    held_out: Count  # tokens a corpus, of documents that no row of training holds
    batch_tokens: Count
    warmup: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NonNegative
    models: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")], Network]

    @model_validator(mode="after")
    def _a_batch_holds_whole_rows(self) -> "Pretrain":
        if self.batch_tokens % self.context:
            raise ValueError(f"batch_tokens is {self.batch_tokens}, no multiple of the context {self.context}")
        if self.tokens < self.batch_tokens:
            raise ValueError(f"tokens is {self.tokens}, less than one batch of {self.batch_tokens}")
        return self
