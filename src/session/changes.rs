//! Changes to the message, checked against the agreement and the stage.

use super::context::Context;
use super::refused::{Refused, Wrong};
use crate::proto::codes::{BODY_CHUNK_SIZE, action};
use crate::proto::planted::{Bug, planted};
use crate::proto::response::{Payload, letter};

/// A string that must be there and not empty.
fn required(text: Option<&[u8]>, wrong: Wrong) -> Result<&[u8], Refused> {
    text.filter(|text| !text.is_empty()).ok_or(Refused::Argument(wrong))
}

fn header_index(index: i32) -> Result<u32, Refused> {
    u32::try_from(index).map_err(|_| Refused::Argument(Wrong::Index))
}

impl Context {
    fn change(&self, wanted: u32, letter: u8, payload: Payload<'_>) -> Result<(), Refused> {
        self.may(wanted)?;
        self.emit(letter, payload, false)
    }

    /// Sends a response that fits the data size limit.
    pub(super) fn emit(&self, letter: u8, payload: Payload<'_>, now: bool) -> Result<(), Refused> {
        if payload.len() > self.max_data_size() && !planted(Bug::ChangeTooLong) {
            return Err(Refused::TooLong(payload.len().try_into().unwrap_or(u32::MAX)));
        }
        self.output.send(letter, payload, now).map_err(|_| self.unsent())
    }

    /// Appends a header (`smfi_addheader`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn add_header(&self, name: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), Refused> {
        let strings = [required(name, Wrong::Name)?, value.ok_or(Refused::Argument(Wrong::Value))?];
        self.change(action::ADDHDRS, letter::ADDHEADER, Payload::Strings(&strings))?;
        self.check_breaks("smfi_addheader", strings[0], strings[1]);
        Ok(())
    }

    /// Inserts a header at an index (`smfi_insheader`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn insert_header(
        &self,
        index: i32,
        name: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let index = header_index(index)? + u32::from(planted(Bug::IndexShifted));
        let strings = [required(name, Wrong::Name)?, value.ok_or(Refused::Argument(Wrong::Value))?];
        self.change(action::ADDHDRS, letter::INSHEADER, Payload::Indexed(index, &strings))?;
        self.check_breaks("smfi_insheader", strings[0], strings[1]);
        Ok(())
    }

    /// Changes or, without a value, deletes a header (`smfi_chgheader`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn change_header(
        &self,
        name: Option<&[u8]>,
        index: i32,
        value: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let index = header_index(index)?;
        let strings = [required(name, Wrong::Name)?, value.unwrap_or_default()];
        self.change(action::CHGHDRS, letter::CHGHEADER, Payload::Indexed(index, &strings))?;
        self.check_breaks("smfi_chgheader", strings[0], strings[1]);
        Ok(())
    }

    /// Sends an address, with its ESMTP arguments if there are any.
    fn address(
        &self,
        wanted: u32,
        letter: u8,
        address: Option<&[u8]>,
        arguments: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let address = required(address, Wrong::Address)?;
        match arguments {
            Some(arguments) => self.change(wanted, letter, Payload::Strings(&[address, arguments])),
            None => self.change(wanted, letter, Payload::Strings(&[address])),
        }
    }

    /// Changes the envelope sender (`smfi_chgfrom`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn change_from(&self, from: Option<&[u8]>, args: Option<&[u8]>) -> Result<(), Refused> {
        self.address(action::CHGFROM, letter::CHGFROM, from, args)
    }

    /// Adds a recipient (`smfi_addrcpt`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn add_recipient(&self, recipient: Option<&[u8]>) -> Result<(), Refused> {
        self.address(action::ADDRCPT, letter::ADDRCPT, recipient, None)
    }

    /// Adds a recipient with ESMTP arguments (`smfi_addrcpt_par`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn add_recipient_with(
        &self,
        recipient: Option<&[u8]>,
        args: Option<&[u8]>,
    ) -> Result<(), Refused> {
        self.address(action::ADDRCPT_PAR, letter::ADDRCPT_PAR, recipient, args)
    }

    /// Deletes a recipient (`smfi_delrcpt`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn delete_recipient(&self, recipient: Option<&[u8]>) -> Result<(), Refused> {
        self.address(action::DELRCPT, letter::DELRCPT, recipient, None)
    }

    /// Holds the message (`smfi_quarantine`).
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn quarantine(&self, reason: Option<&[u8]>) -> Result<(), Refused> {
        let reason = [required(reason, Wrong::Reason)?];
        self.change(action::QUARANTINE, letter::QUARANTINE, Payload::Strings(&reason))
    }

    /// Appends to the new body (`smfi_replacebody`); an empty `body` replaces it by nothing.
    ///
    /// # Errors
    /// See [`Refused`]. Chunks before the one that failed may have been sent.
    pub fn replace_body(&self, body: &[u8]) -> Result<(), Refused> {
        if body.is_empty() {
            return self.change(action::CHGBODY, letter::REPLBODY, Payload::None);
        }
        for chunk in body.chunks(BODY_CHUNK_SIZE) {
            self.change(action::CHGBODY, letter::REPLBODY, Payload::Raw(chunk))?;
        }
        Ok(())
    }

    /// Tells the MTA that the filter is still at work (`smfi_progress`); sent at once.
    ///
    /// # Errors
    /// The MTA could not be written to.
    pub fn progress(&self) -> Result<(), Refused> {
        self.emit(letter::PROGRESS, Payload::None, true)
    }
}
