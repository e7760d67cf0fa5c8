//! What a seed decides: numbers, choices, and the cases of a property.

/// Numbers that follow from a seed, by splitmix64: from them a test draws its choices.
#[derive(Clone, Debug)]
pub struct Numbers {
    state: u64,
}

impl Numbers {
    /// The numbers of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    ///
    /// # Panics
    ///
    /// When `end` is not above 0.
    pub fn below<N: TryInto<u64> + TryFrom<u64>>(&mut self, end: N) -> N {
        let Ok(end) = end.try_into() else {
            panic!("no number is below a negative one");
        };
        match N::try_from(self.draw() % end) {
            Ok(number) => number,
            Err(_) => unreachable!("what is below a number has its type"),
        }
    }

    /// One of `items`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// How `proptest!` goes through the cases of a seed: the same ones every time, and none is kept.
#[cfg(feature = "proptest")]
#[must_use]
pub fn cases_of(seed: u64, cases: u32) -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngSeed};
    Config {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    }
}

/// Tests of properties, written as in `proptest!`, each with so many cases for a seed.
#[cfg(feature = "proptest")]
#[macro_export]
macro_rules! properties {
    ($cases:literal cases; $(
        $(#[$meta:meta])*
        fn $name:ident($($arguments:tt)+) $body:block
    )+) => { $(
        $(#[$meta])*
        fn $name() {
            let effort = $crate::Effort::new(stringify!($name), 1);
            while let Some(seed) = effort.next_seed() {
                ::proptest::proptest!($crate::cases_of(seed, $cases), |($($arguments)+)| $body);
                effort.add($crate::Tried::Runs, $cases);
            }
        }
    )+ };
}

/// The runner of a property whose cases follow from a seed.
#[cfg(feature = "proptest")]
#[must_use]
pub fn property(seed: u64, cases: u32) -> proptest::test_runner::TestRunner {
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64_and_stay_below_their_end() {
        let mut numbers = Numbers::new(0);
        // The first outputs of the published reference for seed 0.
        assert_eq!(numbers.draw(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(numbers.draw(), 0x6E78_9E6A_A1B9_65F4);
        let drawn: Vec<u32> = (0..200).map(|_| numbers.below(7)).collect();
        assert!((0..7).all(|number| drawn.contains(&number)));
        assert!(drawn.iter().all(|&number| number < 7));
    }
}
