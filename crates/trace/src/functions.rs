//! Function names by function id.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Function names by function id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    names: BTreeMap<u32, String>,
}

impl Functions {
    /// The recorded name, if there is one.
    #[must_use]
    pub fn name(&self, func_id: u32) -> Option<&str> {
        self.names.get(&func_id).map(String::as_str)
    }

    /// The recorded name, else `func_<id>`.
    #[must_use]
    pub fn label(&self, func_id: u32) -> Cow<'_, str> {
        match self.name(func_id) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("func_{func_id}")),
        }
    }

    /// Names a function; the last name given wins.
    pub fn insert(&mut self, func_id: u32, name: impl Into<String>) {
        self.names.insert(func_id, name.into());
    }

    /// Every named function, by id.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &str)> {
        self.names.iter().map(|(&id, name)| (id, name.as_str()))
    }

    /// How many functions have a name.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no function has a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

impl<S: Into<String>> FromIterator<(u32, S)> for Functions {
    fn from_iter<I: IntoIterator<Item = (u32, S)>>(pairs: I) -> Self {
        let names = pairs.into_iter().map(|(id, name)| (id, name.into()));
        Self {
            names: names.collect(),
        }
    }
}
