"""A language model small enough for tests: two Llama layers with random weights and a tokenizer trained on the spot.

It answers nonsense, but has every part that a real chat model has: safetensors, a byte-level BPE tokenizer,
a ChatML template, an end token and a padding token that differs from it.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

END, PAD, START = "<|im_end|>", "<|endoftext|>", "<|im_start|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_VOCABULARY_TOKENS = 640
_TRAINING_TEXT = """
You are a customer support assistant. Answer briefly and only with what you know.
system user assistant Context Question Answer
How long does the delivery of my order take? Orders within the country arrive in two to four working days.
Where is my parcel? The tracking number is in the shipping message; the carrier updates it every evening.
Can I return the shoes when they do not fit? Yes, within thirty days, unworn and in their box.
How do I change the address of an order? Write to us before the parcel leaves the warehouse, we change it for you.
Which ways to pay do you take? Card, invoice and bank transfer; the invoice is due after fourteen days.
My lamp arrived broken, what now? Send a photo of it, we send a new lamp on the same day and pay for the return.
Do you ship to other countries? Yes, to all of Europe; customs and taxes are shown before you pay.
Is the jacket warm enough for the winter? It is lined with wool and keeps warm down to ten degrees below zero.
When do I get my money back? Five days after the return has arrived, on the account that you paid from.
The voucher does not work. A voucher counts once, from twenty euros, and not together with other offers.
How can I reach you? By message at any time, by phone on working days between nine and five.
I forgot my password, please help. Choose "forgot password" on the login page and follow the link that we send.
"""


def make_tiny_model(folder: Path, seed: int = 0) -> None:
    """Write a complete model folder in transformers' layout; equal seeds give equal bytes.

    float32, 64 hidden units, 4 heads, 2 layers, tied embeddings, up to 1,024 tokens of context, about 0.5 MB.
    """
    tokenizer = _train_tokenizer()
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            dtype="float32",
        )
    )
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _train_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY_TOKENS,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TRAINING_TEXT.splitlines(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=START,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
