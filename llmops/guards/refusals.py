"""Whether an answer declines to help, told by how it begins.

Models decline in few words, and at once: "I'm sorry, but I can't help with that". So the rules look at the first
sentence, and at the one after a mere courtesy ("I'm sorry."), in `views.folded` letters: lower case, no accents. What a
shop cannot do ("we cannot ship to …", "I cannot find your order") is an answer: a rule needs a verb of helping or
answering as such, or a topic that models keep away from.

Not covered: refusals that come later in an answer, evasion, and languages but English, German, French, Spanish and
Italian.
"""

import re

from llmops.guards.views import folded

_LONGEST_HEAD = 600
"""Characters that are looked at: room for two sentences."""
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
_APOSTROPHES = str.maketrans("’‘`´ʼ", "'''''")

_COURTESY = re.compile(
    r"(?:hello|hi|dear|good (?:day|morning)|thank|thanks|sorry|i'm sorry|i am sorry|i apologi[sz]e|my apologies|"
    r"apologies|unfortunately not|no\b|hallo|guten tag|danke|vielen dank|es tut mir|tut mir|entschuldig|leider nein|"
    r"nein\b|bonjour|merci|desole|je suis desole|je m'excuse|non\b|hola|gracias|lo siento|lo lamento|disculp|perdon|"
    r"ciao|buongiorno|salve|grazie|mi dispiace|mi scus|scus)"
)

_TOPIC_EN = (
    r"(?:(?:medical|legal|financial|tax|investment|health|political|personal) "
    r"(?:advice|opinions?|guidance|recommendations?|diagnos\w+|views?)|"
    r"(?:instructions|guidance|information|details|advice) (?:on|about|for|regarding) (?:how|that|this|such|making|"
    r"illegal|harmful|dangerous|other (?:customers?|people|persons|users?))|"
    r"(?:that|this|such)(?: (?:kind|type|sort) of)?(?: (?:information|request|content|question|advice|help))?"
    r"(?= *(?:[.,;!]|$|because|as\b|since|for\b|to\b))|"
    r"(?:any )?(?:help|assistance)\b|(?:an |any )?answers?\b|content (?:that|which|of)|passwords?|malware|"
    r"(?:the )?(?:personal|private|confidential) (?:data|information|details))"
)
_CANNOT_EN = (
    r"(?:can't|cannot|can not|cant|couldn't|could not|won't|will not|must not|may not|"
    r"(?:'m |am |are )(?:unable|not able|not allowed|not permitted|not authori[sz]ed|not programmed|not designed|"
    r"not in a position) to|(?:do not|don't) have the ability to)"
    r"(?: (?:really|directly|currently|actually|personally|in good conscience))*"
)
_HELP_EN = (
    r"(?:help|assist|comply|answer (?:that|this|the|your|such|any)|answer[.!]?$|respond to (?:that|this|such|your)|"
    r"do (?:that|this|so)\b[.!]?$|discuss|engage|fulfil\w*|support (?:that|this|you (?:with|in))|participate|"
    r"continue (?:with )?this|talk about|speak about|write (?:that|this|such)|say (?:that|anything)|"
    r"(?:provide|give|offer|share|generate|create|produce)(?: (?:you|to you|with|you with|any|the|out))* "
    + _TOPIC_EN
    + r")"
)
_THING_EN = r"(?:something|anything|a (?:topic|question|request|subject))"
_ENGLISH = (
    rf"\bi(?: (?:really|simply|just|also|therefore))* ?{_CANNOT_EN} {_HELP_EN}",
    rf"\bwe {_CANNOT_EN} (?:help|assist)(?: you)?(?: (?:with|in))? (?:that|this|such|here)\b",
    r"^(?:(?:sorry|(?:i'm|i am) (?:very |really |so )?(?:sorry|afraid)|unfortunately|no)[ ,]*(?:but |that )?)?"
    r"i (?:can't|cannot|can not|won't|will not)(?: do (?:that|this|so|it))?[.!]?$",
    r"\bas an? (?:large |virtual |digital )?(?:ai|a\.i\.|artificial intelligence|language model|llm|chatbot|"
    r"(?:ai |virtual |digital )?assistant)\b[^.]*(?:n't\b|\bnot\b|\bcannot\b|\bunable\b|\bno\b|\bdecline\b|\bonly\b)",
    r"\bi (?:must|have to|need to|will have to|'ll have to)(?: (?:respectfully|politely|kindly))? (?:decline|refuse)\b",
    r"\bi (?:respectfully |politely )?(?:decline|refuse)(?: to\b|[.,!]|$)",
    r"\bi(?:'m| am| do(?:n't| not) feel) (?:not )?comfortable (?:with|answering|discussing|helping|providing|sharing)",
    r"\bi(?:'d| would) (?:rather|prefer) not (?:to )?(?:answer|discuss|say|talk|help|share)",
    rf"\b{_THING_EN}(?: that| which)? i(?: am|'m)? ?{_CANNOT_EN} {_HELP_EN}",
    rf"\b(?:not|n't) {_THING_EN}(?: that| which)? i(?: can|(?:'m| am) (?:able|allowed) to) {_HELP_EN}",
    r"\b(?:outside|beyond)(?: of)? (?:the scope of )?(?:what i can|my (?:scope|abilities|capabilities|expertise))",
    r"\bi(?:'m| am| can) only (?:able to |here to |allowed to |designed to )?(?:help|answer|assist|discuss)",
    r"\b(?:goes|go|is|would be) against my (?:guidelines|policy|policies|programming|rules|principles)",
    r"\bmy (?:guidelines|programming|rules|policies|instructions) (?:do not|don't|prevent|prohibit|forbid)",
    r"\bit (?:would|wouldn't|is|isn't|'s)(?: not)?(?: be)? (?:in)?appropriate for me to",
)

_HELP_DE = (
    r"(?:(?:weiter)?(?:ge)?helfen|weiterhelfen|behilflich sein|unterstutzen|beantworten|antworten|"
    r"(?:auskunft|auskunfte|ratschlage|beratung) (?:geben|erteilen))"
)
_GERMAN = (
    rf"\bkann ich (?:\w+ ){{0,3}}?(?:nicht|nichts|leider nicht) (?:\w+ ){{0,2}}?{_HELP_DE}",
    rf"\bich kann (?:[\w-]+ ){{0,6}}?nicht (?:\w+ ){{0,2}}?{_HELP_DE}",
    r"\b(?:kann|darf|mochte|werde) ich (?:\w+ ){0,3}?(?:nichts sagen|keine (?:auskunft|auskunfte|angaben|antwort))",
    r"\bich (?:kann|darf|mochte|werde) (?:[\w-]+ ){0,4}?(?:nichts sagen|keine (?:auskunft|auskunfte|antwort))",
    r"\b(?:ich (?:kann|darf)|(?:kann|darf) ich) (?:\w+ ){0,4}?keine[nr]? (?:medizinisch|rechtlich|juristisch|"
    r"finanziell|steuerlich|politisch|personlich|solche|derartige|anleitung|ratschlag|beratung|meinung|hilfe)",
    r"\bals (?:eine? )?(?:grosses |virtueller? |digitaler? )?(?:ki\b|kunstliche intelligenz|sprachmodell|chatbot|"
    r"(?:virtueller? |digitaler? )?assistent)[^.]*\b(?:nicht|nichts|kein\w*|nur)\b",
    rf"\bich bin (?:\w+ ){{0,2}}?nicht (?:in der lage|befugt|berechtigt|befahigt)[ ,]*(?:[\w-]+ ){{0,6}}?(?:zu )?"
    rf"{_HELP_DE}",
    r"\b(?:ich muss|muss ich) (?:[\w-]+ ){0,5}?ablehnen",
    r"\b(?:das|dies) (?:kann|darf|werde) ich (?:leider )?nicht(?: (?:tun|machen))?[.!]?$",
    r"\bist es mir (?:leider )?nicht (?:moglich|erlaubt|gestattet)[ ,]*(?:[\w-]+ ){0,6}?(?:zu )?"
    rf"{_HELP_DE}",
)

_FRENCH = (
    r"\bje ne (?:peux|puis|saurais|pourrai|pourrais|suis)(?: malheureusement| helas| donc| vraiment)?"
    r"(?: pas)?(?: malheureusement)?(?: (?:en mesure|capable|autorisee?|habilitee?|programmee?))?(?: d[e'] ?| a )? ?"
    r"(?:vous |t'|te |y )?(?:aider|assister|repondre|venir en aide|acceder a (?:cette|votre) demande|"
    r"faire (?:cela|ca)|(?:fournir|donner|partager|communiquer)(?: (?:de|d'|des|ce|cette|ces|ni|aucun\w*))? ?"
    r"(?:conseils?|avis|type|genre|instructions|informations? personnelles|assistance|aide|reponse))",
    r"\ben tant (?:qu'|que )(?:une? )?(?:ia|intelligence artificielle|modele|assistante?|chatbot|agent virtuel)[^.]*"
    r"(?:\bne\b|\bn'|\bpas\b)",
    r"\bje (?:dois|me dois de|suis oblige de)(?: \w+)? (?:refuser|decliner)",
    r"\bil (?:ne )?m'est (?:pas possible|impossible) d[e'] ?(?:vous |t'|te )?(?:aider|repondre|assister)",
    r"\bje prefere ne pas (?:repondre|en parler)",
)

_SPANISH = (
    r"\bno (?:te |le |les |os )?(?:puedo|podre|podria|es posible|me es posible|soy capaz de|estoy en condiciones de|"
    r"estoy autorizad[oa] (?:a|para)|estoy programad[oa] para|tengo permitido)(?: \w+mente)? "
    r"(?:ayudar\w*|asistir\w*|responder\w*|contestar\w*|hacer (?:eso|esto)|hacerlo|atender (?:esa|esta|su|tu)|"
    r"(?:proporcionar|dar|ofrecer|brindar|compartir)(?:te|le|les)?(?: (?:ese|este|esa|esta))? ?"
    r"(?:asesoramiento|consejos?|asesoria|instrucciones|informacion (?:personal|sobre otr)|tipo|ayuda|"
    r"recomendaciones (?:medicas|legales|financieras)|opinion\w*))",
    r"\bcomo (?:una? )?(?:ia\b|inteligencia artificial|modelo de (?:lenguaje|ia)|asistente|chatbot)[^.]*\bno\b",
    r"\b(?:debo|tengo que|me veo obligad[oa] a) (?:rechazar|declinar)",
    r"\bprefiero no (?:responder|hablar|contestar)",
)

_ITALIAN = (
    r"\bnon (?:ti |le |vi )?(?:posso|potrei|potro|mi e possibile|sono in grado di|sono autorizzat[oa] a|"
    r"sono programmat[oa] per|sono capace di)(?: (?:purtroppo|proprio))? "
    r"(?:aiutar\w*|assister\w*|rispondere|esserti|esserle|far(?:lo|e questo|e cio)|soddisfare (?:questa|la sua|la tua)|"
    r"(?:fornir\w*|dar\w*|offrir\w*|condivider\w*)(?: (?:questo|quest[ao]|alcun\w*))? ?"
    r"(?:consigli\w*|consulenz\w*|assistenza|aiuto|istruzioni|tipo|opinion\w*|parer\w*|"
    r"informazioni (?:personali|su altr)))",
    r"\b(?:in quanto|come|essendo) (?:una? |un')?(?:ia\b|intelligenza artificiale|modello|assistente|chatbot)[^.]*"
    r"\bnon\b",
    r"\b(?:devo|sono costrett[oa] a)(?: \w+)? (?:rifiutare|declinare)",
    r"\bpreferisco non (?:rispondere|parlarne)",
)

_DECLINES = re.compile("|".join((*_ENGLISH, *_GERMAN, *_FRENCH, *_SPANISH, *_ITALIAN)))


def is_refusal(answer: str) -> bool:
    """Whether an answer declines to help, instead of answering; an empty one does not."""
    sentences = [part for part in _SENTENCE_END.split(_head(answer)) if part]
    if not sentences:
        return False
    first, *rest = sentences
    heads = [first, *rest[:1]] if _COURTESY.match(first) else [first]
    return any(_DECLINES.search(sentence) for sentence in heads)


def _head(answer: str) -> str:
    """The beginning in plain letters, without marks such as quotes or asterisks before it."""
    return folded(answer[:_LONGEST_HEAD]).translate(_APOSTROPHES).lstrip("\"'*_#>-–— \n«»„“”")
