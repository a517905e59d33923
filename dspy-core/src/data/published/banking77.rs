use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    data::{Example, load},
};

/// A row of Banking77, questions to a bank with one of 77 intents (Casanueva et al. 2020, "Efficient Intent Detection
/// with Dual Sentence Encoders"). As an example, its input is the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
#[non_exhaustive]
pub struct Banking77 {
    /// What the customer writes.
    pub text: String,
    /// The intent: one of [`CATEGORIES`](Self::CATEGORIES).
    pub category: String,
}

impl Banking77 {
    /// The intents. Files that say them by number count in this order, from 0.
    #[rustfmt::skip]
    pub const CATEGORIES: [&str; 77] = [
        "activate_my_card", "age_limit", "apple_pay_or_google_pay", "atm_support", "automatic_top_up",
        "balance_not_updated_after_bank_transfer", "balance_not_updated_after_cheque_or_cash_deposit",
        "beneficiary_not_allowed", "cancel_transfer", "card_about_to_expire", "card_acceptance", "card_arrival",
        "card_delivery_estimate", "card_linking", "card_not_working", "card_payment_fee_charged",
        "card_payment_not_recognised", "card_payment_wrong_exchange_rate", "card_swallowed",
        "cash_withdrawal_charge", "cash_withdrawal_not_recognised", "change_pin", "compromised_card",
        "contactless_not_working", "country_support", "declined_card_payment", "declined_cash_withdrawal",
        "declined_transfer", "direct_debit_payment_not_recognised", "disposable_card_limits",
        "edit_personal_details", "exchange_charge", "exchange_rate", "exchange_via_app",
        "extra_charge_on_statement", "failed_transfer", "fiat_currency_support", "get_disposable_virtual_card",
        "get_physical_card", "getting_spare_card", "getting_virtual_card", "lost_or_stolen_card",
        "lost_or_stolen_phone", "order_physical_card", "passcode_forgotten", "pending_card_payment",
        "pending_cash_withdrawal", "pending_top_up", "pending_transfer", "pin_blocked", "receiving_money",
        "Refund_not_showing_up", "request_refund", "reverted_card_payment?", "supported_cards_and_currencies",
        "terminate_account", "top_up_by_bank_transfer_charge", "top_up_by_card_charge", "top_up_by_cash_or_cheque",
        "top_up_failed", "top_up_limits", "top_up_reverted", "topping_up_by_card", "transaction_charged_twice",
        "transfer_fee_charged", "transfer_into_account", "transfer_not_received_by_recipient", "transfer_timing",
        "unable_to_verify_identity", "verify_my_identity", "verify_source_of_funds", "verify_top_up",
        "virtual_card_not_working", "visa_or_mastercard", "why_verify_identity", "wrong_amount_of_cash_received",
        "wrong_exchange_rate_for_cash_withdrawal",
    ];

    /// Reads a published file: the comma-separated values of the authors (`text`, `category`), or a Parquet or
    /// JSON-lines file of a copy on Hugging Face (`text`, `label` as a number, `label_text` in some).
    ///
    /// # Errors
    /// [`Error::Dataset`](crate::Error::Dataset) naming the file and the line.
    pub fn load(path: impl AsRef<Path>) -> Result<Vec<Self>> {
        load(path)
    }
}

impl Example for Banking77 {
    type Input = String;

    fn input(&self) -> String {
        self.text.clone()
    }
}

#[derive(Deserialize)]
struct Stored {
    text: String,
    category: Option<String>,
    label_text: Option<String>,
    label: Option<Label>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`label` must be the number or the name of an intent")]
enum Label {
    Number(usize),
    Name(String),
}

impl TryFrom<Stored> for Banking77 {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let named = stored.category.or(stored.label_text);
        let category = match (named, stored.label) {
            (Some(name), _) | (None, Some(Label::Name(name))) => name,
            (None, Some(Label::Number(number))) => match Self::CATEGORIES.get(number) {
                Some(name) => (*name).to_owned(),
                None => return Err(format!("there is no intent {number}; they are counted from 0 to 76")),
            },
            (None, None) => return Err("the row has neither `category` nor `label`".into()),
        };
        if !Self::CATEGORIES.contains(&category.as_str()) {
            return Err(format!("`{category}` is no intent of Banking77"));
        }
        Ok(Self { text: stored.text, category })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn intents_are_known_by_name_and_number() {
        let read = |row: Value| serde_json::from_value::<Banking77>(row).map(|r| r.category);
        let category = |row: Value| read(row).unwrap();
        assert_eq!(category(json!({ "text": "t", "category": "card_arrival" })), "card_arrival");
        assert_eq!(category(json!({ "text": "t", "label": 11 })), "card_arrival");
        assert_eq!(category(json!({ "text": "t", "label": "age_limit" })), "age_limit");
        assert_eq!(category(json!({ "text": "t", "label": 3, "label_text": "age_limit" })), "age_limit");
        assert_eq!(category(json!({ "text": "t", "label": 51 })), "Refund_not_showing_up");
        assert!(read(json!({ "text": "t", "label": 77 })).unwrap_err().to_string().contains("from 0 to 76"));
        assert!(read(json!({ "text": "t" })).unwrap_err().to_string().contains("neither"));
        assert!(read(json!({ "text": "t", "category": "poetry" })).is_err());
    }
}
