"""What attempts to take a model over are worded in: words in classes, and rules over the order of classes.

A text becomes one letter a word: that of the word's class (`CLASSES`), `.` for other words, `|` for the end of a
sentence or paragraph. `RULES` are patterns over these letters, so one rule serves all languages, and a gap counts
words. Words are compared as `views.folded` leaves them; a `*` stands for any ending. Gaps are bounded, so matching is
linear.
"""

from typing import NamedTuple

CLASSES = {
    # to set aside
    "V": """ignore ignoring disregard disregarding forget overlook bypass override overrule discard drop abandon
        ignorier* missachte* vergiss vergesst verwirf umgehe ubergehe*
        oublie oubliez oublier ignorez ignorer neglige negligez abandonne* contourne*
        olvida olvide olviden olvidate olvidar ignora ignore ignoren ignorar omite omita descarta descarte
        dimentica dimenticate dimenticare ignorate ignorare esqueca esquece esquecer desconsidere desconsidera
        игнорир* проигнорир* забудь забудьте забыть отбрось* пропусти* zaboravi zaboravite zanemari ignoriraj""",
    "v": "vergessen",  # a participle, too
    # what came before
    "P": """previous previously prior preceding above earlier before beforehand foregoing initial original all every any
        given provided
        vorherig* vorangegangen* vorangehend* vorig* bisherig* obig* fruher* davor vorher zuvor ursprunglich* alle alles
        aller allen samtlich*
        precedent* anterieur* toutes tous tout avant dessus initial* originales
        anterior* previa previas previo previos todas todos toda todo antes arriba inicial*
        precedenti tutte tutti prima sopra prévias предыдущ* прежн* прошл* выше ранее все всё всех sve prethodne""",
    # what a model is told, and customers are not
    "J": """prompt prompts systemprompt systemprompts prompttext prompttexte systemnachricht systemanweisung* promptu
        промпт* systemprompten""",
    "T": """instruction instructions directives programming
        anweisung* instruktion* vorgaben befehle
        consigne consignes directives instrucciones instruccion directrices ordenes
        istruzioni istruzione direttive instrucoes instrucao instrukcije instrukcii* инструкц* указани* директив*""",
    # what both are told
    "L": """rules rule guidelines guideline restrictions restriction constraints constraint limitations
        commands tasks task
        assignments context articles documents information informationen angaben
        regeln regel richtlinien einschrankung* beschrankung* aufgabe* auftrag* ausfuhrung* kontext dokument*
        regles limites restrictions contraintes taches reglas restricciones limitaciones tareas normas contexto
        regole restrizioni regras restricoes правил* ограничен* задани* команд*""",
    "E": "everything anything alles tout todo tutto tudo всё все",
    "S": """system hidden secret internal developer confidential
        systems versteckte* geheime* interne* systeme cache cachee cachees secrete* interne internes oculto ocultas
        secreto secretas interno internas sistema системн* скрыт* секретн* внутренн*""",
    "Y": """you your yours u ur du dein deine deinen deiner deines dir dich ihr ihre ihren ihrer sie
        tu ton ta tes vous votre vos tus sus usted su te ты твой твои твоя твоих вы ваш ваши ваших ваша ваши""",
    "I": "i we ich wir je j nous yo я мы",
    # to show
    "R": """reveal show say print repeat output display recite disclose expose dump leak tell give write list copy paste
        zeig zeige zeigen drucke wiederhol* nenne verrate verraten gib gebe geben schreibe offenbare liste
        montre montrez affiche affichez repete repetez revele revelez donne donnez dis dites ecris ecrivez
        muestra muestre muestrame muestreme repite repita revela revele imprime imprima dime diga escribe
        mostra mostrami ripeti rivela mostre repita покажи* повтори* раскрой* выведи* напиши* скажи* расскажи*
        pokazi""",
    "Q": "what whats was welche welches wie quelles quelle quel quels cuales cual que quali какие какая какой какова",
    # to play somebody
    "A": """act behave respond fungier* fungieren agier* verhalte agis agissez comportez comporte actua actue comportate
        веди действуй""",
    "k": "as like als wie comme como come как",
    "a": """pretend roleplay impersonate simulate imagine spiele pretends faites finge finja imagina
        притвор* представь вообрази""",
    "H": "are are're bist seid sind es etes eres sois ты",
    "C": "now jetzt nun ab desormais maintenant ahora теперь отныне",
    "N": """unrestricted uncensored unfiltered jailbreak jailbreaking unmoderated unzensiert* ungefiltert*
        unbounded amoral immoral unethical""",
    "M": """ai gpt chatgpt chatbot bot llm assistant terminal interpreter persona character ki ia ии
        ассистент* бот""",
    "B": "new neue neuen neuer nouvelle nouvelles nueva nuevas новые новая новой",
    "F": "for on about how when regarding concerning to from in with fur zum zur pour sur para sobre для по",
    "O": """follow following obey obeying adhere adhering apply folge folgen befolge* suis suivez suivre
        respecte sigue siga seguir следуй*""",
    "K": "not never stop dont don't don'nt quit cease nicht nie keine pas plus jamais no nunca не никогда",
    # to send, and what nobody should
    "D": """send post forward upload transmit email exfiltrate append embed encode include schicke sende senden leite
        envoie envoyez transmets envia envie reenvia отправь* перешли* загрузи*""",
    "X": """conversation history chatlog transcript credentials secrets keys tokens passwords apikey apikeys database
        gesprachsverlauf zugangsdaten passworter geheimnisse datenbank identifiants historique secretos credenciales
        contrasenas historial parola пароли паролей данные переписк*""",
    "x": "customers customer's customers' users user's users' clients kunden nutzer utilisateurs clientes usuarios",
    "U": "http https webhook url www @ ://",
}

_GAP = "[^|]"


class Rule(NamedTuple):
    """A pattern over class letters and how much it says on its own, 0 to 1."""

    name: str
    pattern: str
    weight: float


class Phrase(NamedTuple):
    """A pattern over folded text, tried wherever one of `starts` stands: so its cost is that of looking for words."""

    name: str
    starts: tuple[str, ...]
    pattern: str
    weight: float


# What the customers themselves forgot or may ignore is no order to the model.
_SET_ASIDE = r"V(?<!IV)(?<!I.V)"
# Each begins with a letter or a set of letters, by which `re` finds the places to try.
RULES = (
    Rule("override", rf"{_SET_ASIDE}{_GAP}{{0,3}}[PSB]{_GAP}{{0,2}}[TJ](?!F)", 0.9),
    Rule("override", rf"{_SET_ASIDE}{_GAP}{{0,2}}[TJ]{_GAP}{{0,2}}[PS]", 0.9),
    Rule("override", rf"{_SET_ASIDE}{_GAP}{{0,3}}P{_GAP}{{0,2}}L", 0.7),
    Rule("override", rf"{_SET_ASIDE}{_GAP}{{0,2}}Y{_GAP}{{0,2}}[TJL]", 0.8),
    Rule("override", rf"{_SET_ASIDE}[EP]{{1,2}}{_GAP}{{0,3}}[PY](?!F)", 0.6),
    Rule("override", rf"vY{_GAP}{{0,3}}[TJL]", 0.8),
    Rule("override", rf"{_SET_ASIDE}{_GAP}?[EP]{_GAP}{{0,4}}R", 0.55),
    Rule("override", rf"[PY]{_GAP}?[TJ]{_GAP}{{0,3}}V", 0.7),
    Rule("override", rf"K{_GAP}{{0,2}}O{_GAP}{{0,3}}[PSY]{_GAP}{{0,2}}[TJL]", 0.7),
    Rule("override", rf"{_SET_ASIDE}{_GAP}{{0,2}}[TJ]", 0.3),
    Rule("new-task", rf"Y(?:B{_GAP}?L|BT|T{_GAP}?[HC])", 0.4),
    Rule("new-task", rf"B[TJ]{_GAP}{{0,2}}O", 0.4),
    Rule("prompt-leak", rf"R{_GAP}{{0,4}}Y{_GAP}{{0,2}}S{_GAP}?[TJL]", 0.9),
    Rule("prompt-leak", rf"[RQ]{_GAP}{{0,4}}[SP][TJ]?J", 0.8),
    Rule("prompt-leak", rf"[RQ]{_GAP}{{0,3}}S{_GAP}?T", 0.6),
    Rule("prompt-leak", rf"[RQ]{_GAP}{{0,3}}YP?[TJ](?!F)", 0.55),
    Rule("prompt-leak", rf"[RQ]{_GAP}{{0,3}}[TJ]{_GAP}?Y", 0.5),
    Rule("prompt-leak", rf"R[EP]{{1,2}}{_GAP}{{0,2}}P(?!\.)", 0.5),
    Rule("role-play", r"A(?:(?<=\|A)|(?<=YA)|(?<=Y.A))k", 0.55),
    Rule("role-play", rf"Yk{_GAP}{{0,4}}A", 0.55),
    Rule("role-play", rf"[|C]a{_GAP}?(?:Y|{_GAP}{{0,3}}M)", 0.55),
    Rule("role-play", r"C(?:HY|YH)", 0.35),
    Rule("role-play", r"[HY][HY](?<!HH)(?<!YY)C", 0.35),
    Rule("role-play", rf"[HY][HY](?<!HH)(?<!YY){_GAP}{{0,3}}[NM]", 0.35),
    Rule("jailbreak", rf"N{_GAP}{{0,12}}[YMa]", 0.45),
    Rule("jailbreak", rf"[YMa]{_GAP}{{0,12}}N", 0.45),
    Rule("exfiltration", rf"D{_GAP}{{0,6}}[XJ]{_GAP}{{0,6}}U", 0.8),
    Rule("exfiltration", rf"R{_GAP}{{0,3}}[Px]{{1,2}}{_GAP}{{0,3}}X", 0.5),
)

PHRASES = (
    Phrase(
        "override",
        ("忽略", "无视", "無視", "忽視", "忘记", "忘記", "忘掉", "不要理会", "抛开"),
        r"\w{2,4}?[^。！？!?\n]{0,14}(?:指令|指示|提示|规则|規則|命令|设定)",
        0.9,
    ),
    Phrase(
        "prompt-leak",
        ("显示", "告诉", "告訴", "输出", "打印", "透露", "重复", "写出", "说出", "泄露", "展示"),
        r"\w\w[^。！？!?\n]{0,10}(?:系统提示|系统指令|提示词|系统消息|初始指令|内部指令)",
        0.9,
    ),
    Phrase(
        "role-play",
        ("你现在是", "从现在开始,你", "从现在开始你", "假装你", "扮演"),
        "",
        0.55,
    ),
    Phrase(
        "exfiltration",
        ("发送", "上传", "发到", "转发"),
        r"[^。\n]{0,24}(?:对话|聊天记录|密码|数据)[^。\n]{0,30}http",
        0.9,
    ),
    Phrase(
        "exfiltration",
        ("对话", "聊天记录", "密码", "数据"),
        r"[^。\n]{0,16}(?:发送|上传|发到|转发)[^。\n]{0,10}http",
        0.9,
    ),
    Phrase(
        "jailbreak",
        ("do anything now", "you are dan", "you are now dan", "no longer bound by"),
        r"do anything now\b|you are (?:now )?dan\b|no longer bound by\b",
        0.8,
    ),
    Phrase(
        "jailbreak",
        ("developer mode", "debug mode", "god mode", "dan mode"),
        r"[a-z]+ mode (?:is )?(?:now )?(?:enabled|activated|unlocked)|(?<=enter )|(?<=enable )|(?<=activate )",
        0.8,
    ),
    Phrase(
        "jailbreak",
        ("without ", "ohne ", "sans ", "sin ", "без "),
        r"\w+ (?:any |jede |aucune |ninguna |всяких )?(?:restriction|filter|limits|censorship|safety|moral"
        r"|einschrankung|zensur|filtre|censure|restriccion|filtro|censura|ограничен|цензур|фильтр)",
        0.35,
    ),
    Phrase(
        "command",
        ("execute ", "run ", "evaluate "),
        r"\w+ (?:the following|this) (?:command|code|script|python|query|sql)\b",
        0.7,
    ),
    Phrase(
        "command",
        ("rm -rf", "os.environ", "os.system", "drop table", "union select", "subprocess.", "<script"),
        "",
        0.7,
    ),
    Phrase(
        "command",
        ("curl ", "wget "),
        r"\w+ (?:-\S{1,20} ){0,3}https?:",
        0.7,
    ),
    Phrase("image", ("![",), r"!\[[^\]\n]{0,80}\]\(\s?https?:", 0.7),
    Phrase(
        "prompt-leak",
        ("what ", "text ", "words ", "everything "),
        r"\w+ (?:\w{1,12} ){0,3}(?:above|before) (?:this|the) (?:line|message|prompt)\b",
        0.6,
    ),
    Phrase(
        "prompt-leak",
        ("beginning of ", "start of "),
        r"\w+ of (?:this|the|your) prompt\b",
        0.6,
    ),
    Phrase(
        "role",
        ("system", "assistant", "developer"),
        r"(?:^|(?<=\n)|(?<=\n ))[a-z]+ ?(?:prompt|message|override|update)? ?:",
        0.35,
    ),
    Phrase(
        "role",
        ("system ", "admin ", "administrator ", "developer "),
        r"(?:^|(?<=\n)|(?<=\n ))[a-z]+ (?:override|notice|command|message)\b",
        0.4,
    ),
    Phrase("marker", ("<|",), r"<\|[a-z_ ]{2,40}\|>", 0.8),
    Phrase(
        "marker",
        (
            "[inst]",
            "[/inst]",
            "<<sys>>",
            "<</sys>>",
            "<start_of_turn>",
            "<end_of_turn>",
            "[answer]",
            "[/answer]",
            "[context]",
            "[question]",
            "<s>",
            "</s>",
        ),
        "",
        0.8,
    ),
    Phrase("marker", ("###",), r"### ?(?:instruction|system|response)s?\b", 0.8),
    Phrase("marker", ("####",), "", 0.5),
)
