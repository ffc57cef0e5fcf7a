"""How servers say, in other languages than English, that there is no such address.

Each pair is what there may be none of, and how that is said behind it; the rest says it the other way round.
"""

_PAIRS = (
    # German, Dutch, the languages of the North
    (
        "benutzer|nutzer|empfänger|empfaenger|adresse|postfach|konto|mailbox|account|teilnehmer",
        "unbekannt|nicht gefunden|existiert nicht|nicht (?:mehr )?(?:existier|vorhanden|bekannt|gültig)|ungültig",
    ),
    ("gebruiker|ontvanger|adres|postvak|postbus", "onbekend|bestaat niet|niet gevonden|ongeldig"),
    (
        "användare|mottagare|adress|brugere?|modtager|bruker|mottaker|postkasse",
        "okänd|finns inte|ogiltig|ukendt|findes ikke|ukjent|finnes ikke|ugyldig",
    ),
    # Romance languages
    (
        "destinataire|utilisateur|adresse|bo[iî]te|compte",
        "inconnu|invalide|n'existe|n existe|introuvable|inexistant|non trouvé|incorrect",
    ),
    (
        "usuario|destinatari[oa]|direcci[oó]n|buz[oó]n|cuenta|correo",
        "desconocid|no existe|no (?:se )?(?:ha )?encontrad|inv[aá]lid|inexistente|incorrect",
    ),
    (
        "utilizador|usu[aá]rio|destinat[aá]ri[oa]|endereço|caixa|conta",
        "n[aã]o existe|desconhecid|n[aã]o (?:foi )?encontrad|inv[aá]lid|inexistente|incorret",
    ),
    (
        "utente|destinatario|indirizzo|casella|account",
        "sconosciut|non esiste|inesistente|non valid|non (?:è stato )?trovat|non corrett",
    ),
    # Slavic languages, Turkish
    (
        "пользовател|получател|адрес|ящик|абонент",
        "не найден|не существует|неизвест|не зарегистрирован|неверн|недействител|отсутству|не обнаружен",
    ),
    ("użytkowni|odbiorc|adres|skrzynk|konto", "nie istnieje|nieznan|nie znalezion|nieprawidłow"),
    ("uživatel|příjemce|adresa|schránka", "neexistuje|neznám|nenalezen|neplatn"),
    ("kullanıcı|alıcı|adres|posta kutusu|hesap", r"bulunamadı|mevcut değil|bilinmiyor|geçersiz|yok\b"),
    # Japanese, Chinese, Korean
    (
        "宛先|あて先|アドレス|ユーザ|受信者|メールボックス|送信先|ディレクトリ",
        "見つかりません|見つけられ|存在しません|存在しない|存在せず|ありません|ございません|不明|間違|誤り|無効",
    ),
    (
        "用户|用戶|收件人|收信人|邮箱|郵箱|信箱|地址|账号|帐号|帳號",
        "不存在|无效|無效|未找到|找不到|没有找到|不正确|不正確|错误|有误|未知|不可用",
    ),
    (
        "사용자|수신자|받는 ?사람|메일 ?주소|계정|수신인|주소",
        "존재하지 않|없습니다|없는|찾을 수 없|알 수 없|잘못",
    ),
)

UNKNOWN = "\n".join(
    (
        *(rf"(?:{things}).{{0,60}}?(?:{said})" for things, said in _PAIRS),
        "no existe (?:dicha|es[ea]|el|la|est[ea]) (?:persona|usuario|cuenta|direcci[oó]n|buz[oó]n)",
        "nessun(?:a casella| utente)|aucun utilisateur|kein(?:e|en)? (?:solche[rsn]? )?(?:benutzer|adresse|postfach)",
        "unbekannte[rsn]? (?:benutzer|empfänger|adresse|nutzer)|ungültige[rsn]? (?:empfänger|adresse)",
        "onbekende (?:gebruiker|ontvanger)|utilisateur inconnu|adresse (?:invalide|inconnue)",
        r"(?:неизвестн|несуществующ|неверн|нет такого)\w* (?:\w+ )?(?:пользовател|получател|адрес|ящик)",
        "(?:无效|無效|未知|不存在)的?(?:用户|收件人|邮箱|地址)|존재하지 않는 (?:사용자|메일|주소|계정)",
    )
)
