//! Words of many languages that stand alone: for yes and no, for nothing, and before an answer. A table is one text, with
//! `|` between its words.

/// The words of a table.
pub(super) fn words_of(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.split('|')
}

/// Whether a table has a word.
pub(super) fn has(table: &'static str, word: &str) -> bool {
    words_of(table).any(|known| known == word)
}

/// The words for true.
pub(super) const TRUE: &str = "\
    true|yes|y|t|on|1|correct|yep|yeah|ja|wahr|richtig|oui|vrai|sí|si|verdadero|cierto|sim|verdadeiro|\
    sì|vero|tak|prawda|ano|да|правда|так|evet|doğru|igen|kyllä|はい|真|是|对|對|예|네|참|हाँ|نعم|ναι|✓|✔|✅|☑";

/// The words for false.
pub(super) const FALSE: &str = "\
    false|no|n|f|off|0|incorrect|nope|nein|falsch|non|faux|falso|não|nao|nie|fałsz|nee|onwaar|nej|нет|\
    ложь|ні|hayır|yanlış|いいえ|偽|否|不是|不|假|错|아니요|아니오|거짓|नहीं|لا|όχι|✗|✘|❌|✖";

/// The words that say of any field that nothing is there.
pub(super) const NOTHING: &str = "null|none|nil|n/a|undefined|not available|not applicable";

/// The words that say of a scalar that nothing is there. Of a text they may be the text.
pub(super) const NOTHING_SCALAR: &str = "\
    unknown|unspecified|undisclosed|nothing|no data|no information|no answer|no value|not mentioned|\
    not specified|not provided|not given|not stated|not known|not found|not reported|none given|\
    none mentioned|unbekannt|keine|keiner|keines|keine angabe|keine angaben|k. a.|k.a.|\
    nicht angegeben|nicht bekannt|nicht genannt|nicht vorhanden|nichts|inconnu|inconnue|aucun|aucune|\
    néant|non précisé|non précisée|non renseigné|non renseignée|non mentionné|non spécifié|\
    non indiqué|non disponible|sans objet|desconocido|desconocida|ninguno|ninguna|nada|no aplica|\
    no disponible|no especificado|no especificada|no indicado|no mencionado|no consta|sin datos|\
    sin especificar|desconhecido|nenhum|nenhuma|não informado|não informada|não disponível|\
    não se aplica|não especificado|não mencionado|sconosciuto|nessuno|nessuna|non disponibile|\
    non specificato|non indicato|non applicabile|nieznany|brak|brak danych|nie podano|nie dotyczy|\
    неизвестно|нет данных|не указано|onbekend|geen|niet vermeld|okänt|ingen|なし|無し|不明|該当なし|記載なし|未記載|未定|\
    无|無|未知|未提及|未提供|不适用|不詳|없음|알 수 없음|해당 없음";

/// The words of labels that announce the answer itself.
const ANSWER: &str = "\
    answer|final|result|output|conclusion|verdict|antwort|ergebnis|endergebnis|fazit|réponse|résultat|\
    respuesta|resultado|resposta|risposta|risultato|odpowiedź|wynik|ответ|результат|итог|antwoord|\
    svar|resultat|cevap|sonuç";

/// The same in scripts that set no spaces between words.
const ANSWER_PARTS: &str = "答え|答案|回答|解答|結論|结论|結果|结果|정답|답변";

/// Whether a label announces the answer.
pub(in crate::de) fn announces(label: &str) -> bool {
    let lower = label.to_lowercase();
    lower.contains("####")
        || words_of(ANSWER_PARTS).any(|part| lower.contains(part))
        || lower.split(|c: char| !c.is_alphanumeric()).any(|word| has(ANSWER, word))
}

/// The words that join the last item of a list to those before it.
pub(super) const AND: &str = "and|und|et|och|og";

/// The same in scripts that set no spaces between words.
pub(super) const AND_PARTS: &str = "および|及び|以及|그리고";

/// Words that turn a label, or the key of a wrapper, into its opposite or into a bound.
const BRAKES: &str = "\
    not|no|non|none|never|neither|nor|without|except|excluding|wrong|false|incorrect|invalid|error|if|unless|instead|\
    ruled|rejected|eliminated|opposite|otherwise|default|maybe|but|previously|formerly|than|als|niemals|keinesfalls|weniger|\
    mehr|sonst|gegenteil|früher|obergrenze|untergrenze|sinon|least|most|min|max|minimum|maximum|more|less|over|under|up|above|below|before|after|until|nicht|kein|\
    keine|nie|ohne|außer|falsch|falsche|falscher|fehler|wenn|mindestens|höchstens|über|unter|bis|ab|pas|ne|ni|sans|sauf|faux|\
    fausse|erreur|si|moins|plus|jamais|sin|salvo|excepto|falso|falsa|incorrecto|incorrecta|nunca|menos|más|não|nem|sem|\
    exceto|errado|errada|senza|tranne|errato|errata|mai|meno|più|nie|bez|oprócz|błąd|błędna|fałsz|jeśli|не|нет|без|кроме|\
    если|неверно|неверный|ошибка|niet|geen|zonder|behalve|fout|inte|ej|utan|fel|ikke|ingen|uden|uten|feil|ei|değil|hariç|\
    yanlış|ne|není|bez|kromě|chybně|nem|nincs|hibás|δεν|όχι|λάθος|لا|ليس|غير|नहीं|गलत";

/// The same in scripts that set no spaces between words.
const BRAKE_PARTS: &str =
    "ない|不|非|未|無|无|没|別|错|錯|誤|误|以外|除|至少|最|이하|이상|아니|않|없|외|오류";

/// Whether a label or a key may turn what stands behind it round.
pub(in crate::de) fn turns(label: &str) -> bool {
    let lower = label.to_lowercase();
    words_of(BRAKE_PARTS).any(|part| lower.contains(part))
        || lower
            .split(|c: char| !(c.is_alphanumeric() || c == '\''))
            .any(|word| has(BRAKES, word) || word.ends_with("n't"))
}

/// What numbers count and measure. Any other word behind a number may make it another number.
const UNITS: &str = "\
    st|nd|rd|th|km|m|cm|mm|µm|nm|mi|ft|in|yd|kg|g|mg|µg|t|lb|lbs|oz|l|ml|dl|cl|h|hr|hrs|min|mins|s|sec|secs|ms|µs|ns|d|w|kb|mb|gb|tb|pb|kib|\
    mib|gib|hz|khz|mhz|ghz|kw|kwh|mw|w|v|mv|ma|ah|mah|j|kj|cal|kcal|pa|hpa|kpa|bar|psi|mol|°c|°f|px|pt|rpm|fps|bpm|dpi|\
    km/h|kmh|kph|mph|m/s|kb/s|mb/s|gb/s|mg/dl|mol/l|mmol/l|mmhg|percent|prozent|porcentaje|pourcent|procent|euro|euros|dollar|dollars|\
    cents|pounds|yen|yuan|won|rupees|rubles|francs|franken|kronen|kronor|złotych|złote|złoty|zł|kč|kr|reais|pesos|lire|hours|\
    hour|minutes|minute|seconds|second|days|day|weeks|week|months|month|years|year|times|items|item|pieces|piece|pcs|units|\
    unit|people|persons|person|users|customers|patients|children|apples|books|pages|page|words|word|characters|tokens|lines|\
    rows|files|votes|points|point|stars|star|steps|goals|degrees|degree|bytes|bits|meters|metres|meter|kilometers|kilometres|\
    miles|kilograms|grams|gram|liters|litres|tons|tonnes|stunden|stunde|minuten|sekunden|tage|tag|wochen|woche|monate|monat|\
    jahre|jahr|stück|personen|menschen|einwohner|seiten|seite|wörter|punkte|sterne|schritte|äpfel|grad|meter|liter|gramm|\
    heures|heure|jours|jour|semaines|mois|ans|années|personnes|habitants|pages|mots|étoiles|degrés|mètres|litres|grammes|\
    horas|hora|minutos|segundos|días|día|semanas|meses|años|año|personas|habitantes|páginas|palabras|puntos|estrellas|grados|\
    metros|litros|gramos|dias|anos|ano|pessoas|palavras|pontos|estrelas|graus|ore|minuti|secondi|giorni|settimane|mesi|anni|\
    persone|abitanti|pagine|parole|punti|stelle|gradi|metri|litri|grammi|godzin|minut|sekund|dni|tygodni|miesięcy|lat|osób|\
    stron|słów|punktów|stopni|metrów|часов|минут|секунд|дней|недель|месяцев|лет|человек|страниц|рублей|евро|uur|dagen|weken|\
    maanden|jaar|mensen|timmar|dagar|veckor|månader|år|personer|個|个|人|名|円|元|圓|年|月|日|時間|小时|小時|分|分钟|分鐘|秒|回|次|\
    件|本|枚|冊|册|歳|岁|歲|頁|页|ページ|点|點|分|度|台|杯|匹|只|條|条|张|張|位|天|週間|周|ヶ月|か月|原|원|명|개|년|월|일|시간|분|초|살|회|권|장|도";

/// Whether a word behind a number is a unit.
pub(super) fn is_unit(word: &str) -> bool {
    // Millions, of money.
    word != "MM" && has(UNITS, &word.to_lowercase())
}

/// The codes of currencies.
pub(super) const CURRENCIES: &str = "\
    USD|EUR|GBP|JPY|CNY|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|RUB|UAH|INR|IDR|KRW|BRL|MXN|ARS|CLP|COP|ZAR|SGD|HKD|\
    TWD|THB|MYR|PHP|VND|ILS|AED|SAR|EGP|NGN|KES|US|R|C|A|HK|NZ|S";
