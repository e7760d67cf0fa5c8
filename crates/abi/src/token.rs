//! Tokens: the per-core dispatch sequence number that a core and the AICPU exchange.
//!
//! A token is 16..=0x7FFF_FFEF; after the last comes 16 again. The length of that range is a
//! multiple of 16, so `token % ring_size` never jumps at the wrap. 0 marks an unpublished slot.

/// Marks a slot or a word that holds no token.
pub const TOKEN_NONE: u32 = 0;
/// The first token.
pub const TOKEN_FIRST: u32 = 16;
/// The last token; [`TOKEN_FIRST`] follows it.
pub const TOKEN_LAST: u32 = 0x7FFF_FFEF;
/// How many tokens there are.
pub const TOKEN_COUNT: u32 = TOKEN_LAST - TOKEN_FIRST + 1;

/// In `DATA_MAIN_BASE`: nothing has been dispatched.
pub const DISPATCH_IDLE: u32 = 0x7FFF_FFFD;
/// In `DATA_MAIN_BASE`: the core is to end.
pub const DISPATCH_EXIT: u32 = 0x7FFF_FFF0;

/// In `COND`: set when the token has finished, clear when it has begun.
pub const COND_FIN: u32 = 0x8000_0000;
/// In `COND`: the bits of the token.
pub const COND_TOKEN_MASK: u32 = 0x7FFF_FFFF;
/// In `COND`: the core has answered the handshake and waits for its first token.
pub const COND_IDLE: u32 = COND_FIN | 0x7FFF_FFFF;
/// In `COND`: the core has obeyed [`DISPATCH_EXIT`].
pub const COND_EXITED: u32 = COND_FIN | 0x7FFF_FFFE;

const _: () = assert!(TOKEN_COUNT.is_multiple_of(16));

/// A dispatch number of one core; always in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Token(u32);

impl Token {
    /// The first token.
    pub const FIRST: Self = Self(TOKEN_FIRST);

    /// The token with this number, or `None` when no token has it.
    #[must_use]
    pub const fn new(raw: u32) -> Option<Self> {
        if raw >= TOKEN_FIRST && raw <= TOKEN_LAST {
            Some(Self(raw))
        } else {
            None
        }
    }

    /// The number as it stands in registers, slots and records.
    #[must_use]
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The token `steps` dispatches later.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder is below TOKEN_COUNT"
    )]
    pub const fn advance(self, steps: u64) -> Self {
        let position = (self.0 - TOKEN_FIRST) as u64;
        let count = TOKEN_COUNT as u64;
        Self(TOKEN_FIRST + ((position + steps % count) % count) as u32)
    }

    /// The next token.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.0 == TOKEN_LAST {
            Self(TOKEN_FIRST)
        } else {
            Self(self.0 + 1)
        }
    }

    /// The token before this one.
    #[must_use]
    pub const fn previous(self) -> Self {
        if self.0 == TOKEN_FIRST {
            Self(TOKEN_LAST)
        } else {
            Self(self.0 - 1)
        }
    }

    /// How many dispatches lie between this token and `newer`, going forward.
    #[must_use]
    pub const fn distance_to(self, newer: Self) -> u32 {
        if newer.0 >= self.0 {
            newer.0 - self.0
        } else {
            TOKEN_COUNT - (self.0 - newer.0)
        }
    }

    /// The staging and payload slot of this token; `ring_size` is a power of two.
    #[must_use]
    pub const fn slot(self, ring_size: u32) -> u32 {
        self.0 & (ring_size - 1)
    }
}

/// What a core says in `COND`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreState {
    /// Ready for its first token.
    Idle,
    /// The token has begun, and every token before it has finished and is published.
    Ack(Token),
    /// The token, and every one before it, has finished and is published.
    Fin(Token),
    /// The core program has ended.
    Exited,
    /// None of the above: the core has not answered yet, or the register is corrupt.
    Unknown(u32),
}

impl CoreState {
    /// Reads a `COND` value.
    #[must_use]
    pub const fn from_cond(cond: u32) -> Self {
        match cond {
            COND_IDLE => Self::Idle,
            COND_EXITED => Self::Exited,
            _ => match Token::new(cond & COND_TOKEN_MASK) {
                Some(token) if cond & COND_FIN != 0 => Self::Fin(token),
                Some(token) => Self::Ack(token),
                None => Self::Unknown(cond),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_does_not_jump_at_the_wrap() {
        for ring_size in crate::RING_SIZES {
            let mut token = Token::FIRST.advance(u64::from(TOKEN_COUNT) - 20);
            let mut slot = token.slot(ring_size);
            for _ in 0..40 {
                token = token.next();
                slot = (slot + 1) % ring_size;
                assert_eq!(token.slot(ring_size), slot);
            }
        }
    }

    #[test]
    fn distance_and_advance_agree_across_the_wrap() {
        let start = Token::new(TOKEN_LAST - 3).expect("in range");
        for steps in 0..10 {
            assert_eq!(start.distance_to(start.advance(u64::from(steps))), steps);
        }
        assert_eq!(Token::FIRST.previous().next(), Token::FIRST);
    }

    #[test]
    fn cond_values_are_told_apart() {
        assert_eq!(CoreState::from_cond(COND_IDLE), CoreState::Idle);
        assert_eq!(CoreState::from_cond(COND_EXITED), CoreState::Exited);
        assert_eq!(CoreState::from_cond(16), CoreState::Ack(Token::FIRST));
        assert_eq!(
            CoreState::from_cond(COND_FIN | 16),
            CoreState::Fin(Token::FIRST)
        );
        assert_eq!(CoreState::from_cond(0), CoreState::Unknown(0));
    }
}
