//! How much whoever starts commands may do without asking: what a finding comes to for an agent of this autonomy.

use crate::verdict::{Finding, Level};

/// Below which autonomy, in thousandths, everything noteworthy is asked about.
const LITTLE_BELOW: u16 = 300;
/// From which autonomy on, in thousandths, what the policy asks about is not asked about.
const MUCH_FROM: u16 = 700;

/// How much may be done without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freedom {
    /// Whatever a rule speaks of is asked about.
    Little,
    /// What the policy asks about.
    Usual,
    /// Only what the policy does not let anybody waive; what is blocked stays so.
    Much,
}

impl Freedom {
    /// Reads an autonomy in thousandths; where nobody said one, what the policy says holds.
    pub const fn of(autonomy_permille: Option<u16>) -> Self {
        match autonomy_permille {
            Some(..LITTLE_BELOW) => Self::Little,
            Some(MUCH_FROM..) => Self::Much,
            Some(_) | None => Self::Usual,
        }
    }

    /// Returns what becomes of what a rule found.
    pub const fn level(self, finding: &Finding) -> Level {
        match (self, finding.level) {
            (Self::Little, Level::Watched) => Level::Confirm,
            (Self::Much, Level::Confirm) if finding.is_waivable => Level::Watched,
            (_, level) => level,
        }
    }
}
