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
pub(super) const AND: &str = "and|und|et|y|e|i|en|och|og|ja|ve|и|та|και";

/// The same in scripts that set no spaces between words.
pub(super) const AND_PARTS: &str = "および|及び|以及|和|그리고";

/// Words behind a number that make it another one, or a bound.
pub(super) const BOUNDS: &str = "\
    min|max|minimum|maximum|minimal|maximal|minimo|mínimo|massimo|máximo|mínima|máxima|plus|minus|\
    more|less|fewer|mehr|weniger|moins|más|mas|menos|mais|più|meno|więcej|mniej|over|under|or|oder|ou|\
    o|u|lub|или|bis|to|à|a|do|höchstens|mindestens|times|mal|fois|veces|vezes|volte|half|halb|demi|\
    medio|mil|hundert|cent|cien|pi|squared|cubed|dutzend|douzaine|douzaines|docena|docenas|dúzia|\
    dúzias|dozzina|dozzine|tuzin|tuziny|not|nicht|non|no|nie";

/// Signs in such words, in scripts that set no spaces between words.
pub(super) const BOUND_SIGNS: &str = "以未超満满餘余多弱強强上下約约近数數几幾半倍兆千百十零";
