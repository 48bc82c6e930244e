"""One byte-level BPE tokenizer for a ladder of language models, in the files that the hub's loaders read."""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pipeline.core.errors import InputError
from pipeline.scale.corpora import SEPARATOR

BYTES = 256


def trained(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Tokenizer of exactly ``vocabulary`` tokens: the separator first, as in GPT-NeoX's, then 256 bytes, then merges.

    Bytes stand below every word, so no text is unknown to it.  Raises InputError where the texts give too few merges.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[SEPARATOR],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != vocabulary:
        raise InputError(
            f"the corpora give a vocabulary of {tokenizer.get_vocab_size()} tokens, not {vocabulary}; lower "
            "pretrain.vocabulary"
        )
    return tokenizer


def for_the_hub(tokenizer: Tokenizer, context: int) -> PreTrainedTokenizerFast:
    """The same tokenizer with the roles that transformers asks for; no token is added to a text."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SEPARATOR,
        eos_token=SEPARATOR,
        unk_token=SEPARATOR,
        model_max_length=context,
        padding_side="right",
        truncation_side="left",
        clean_up_tokenization_spaces=False,
    )
