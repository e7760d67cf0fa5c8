//! How chips, kinds, policies and core types are spelled in JSON: by name.

use lanescope_abi::capture::Policy;
use lanescope_abi::{Chip, CoreType, Kind};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

pub(crate) mod chip {
    use super::{Chip, Deserialize, Deserializer, Error, Serializer};

    pub(crate) fn serialize<S: Serializer>(chip: &Chip, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(chip.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Chip, D::Error> {
        let name = String::deserialize(from)?;
        Chip::ALL
            .into_iter()
            .find(|chip| chip.name() == name)
            .ok_or_else(|| D::Error::custom(format!("no chip is called `{name}`")))
    }
}

pub(crate) mod kind {
    use super::{Deserialize, Deserializer, Error, Kind, Serializer};

    pub(crate) fn serialize<S: Serializer>(kind: &Kind, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(kind)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Kind, D::Error> {
        let name = String::deserialize(from)?;
        let known = Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == Some(&*name));
        let number = || Kind::own(name.strip_prefix("kind-")?.parse().ok()?);
        known
            .or_else(number)
            .ok_or_else(|| D::Error::custom(format!("no record kind is called `{name}`")))
    }
}

pub(crate) mod policy {
    use super::{Deserialize, Deserializer, Error, Policy, Serializer};

    pub(crate) fn serialize<S: Serializer>(policy: &Policy, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(policy.name())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Policy, D::Error> {
        let name = String::deserialize(from)?;
        (0..)
            .map_while(Policy::from_raw)
            .find(|policy| policy.name() == name)
            .ok_or_else(|| D::Error::custom(format!("no policy is called `{name}`")))
    }
}

pub(crate) mod core_types {
    use super::{CoreType, Deserialize, Deserializer, Error, Serializer};

    pub(crate) fn serialize<S: Serializer>(types: &[CoreType], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(types.iter().map(|core_type| core_type.name()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<CoreType>, D::Error> {
        Vec::<String>::deserialize(from)?
            .into_iter()
            .map(|name| {
                CoreType::ALL
                    .into_iter()
                    .find(|core_type| core_type.name() == name)
                    .ok_or_else(|| D::Error::custom(format!("no core type is called `{name}`")))
            })
            .collect()
    }
}
