//! Writes canonical JSON as a value tells itself, without a tree in between.

use std::{borrow::Cow, fmt, ops::Range};

use serde::ser::{self, Serialize};

use super::{CanonicalFault, INTEGER_MAX, key::Key};

impl ser::Error for CanonicalFault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Shape
    }
}

/// The text so far.
#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
}

/// Most records fit in, so that the text need not move while it grows.
const TEXT_BYTES: usize = 2_048;

impl Default for Writer {
    fn default() -> Self {
        Self {
            out: Vec::with_capacity(TEXT_BYTES),
        }
    }
}

impl Writer {
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn integer(&mut self, magnitude: u64, negative: bool) -> Result<(), CanonicalFault> {
        if magnitude > INTEGER_MAX {
            return Err(CanonicalFault::Number);
        }
        if negative {
            self.out.push(b'-');
        }
        let mut digits = [0_u8; 20];
        let mut rest = magnitude;
        let mut count = 0;
        for place in digits.iter_mut().rev() {
            *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            count += 1;
            if rest == 0 {
                break;
            }
        }
        let start = digits.len() - count;
        self.out
            .extend_from_slice(digits.get(start..).unwrap_or_default());
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        let mut rest = text;
        while let Some(at) = first_special(rest.as_bytes()) {
            let (plain, after) = rest.split_at(at);
            self.out.extend_from_slice(plain.as_bytes());
            let (control, after) = after.split_at(1);
            match control {
                "\"" => self.out.extend_from_slice(b"\\\""),
                "\\" => self.out.extend_from_slice(b"\\\\"),
                "\u{8}" => self.out.extend_from_slice(b"\\b"),
                "\t" => self.out.extend_from_slice(b"\\t"),
                "\n" => self.out.extend_from_slice(b"\\n"),
                "\u{c}" => self.out.extend_from_slice(b"\\f"),
                "\r" => self.out.extend_from_slice(b"\\r"),
                other => {
                    let code = other.bytes().next().unwrap_or(0);
                    self.out
                        .extend_from_slice(format!("\\u{code:04x}").as_bytes());
                }
            }
            rest = after;
        }
        self.out.extend_from_slice(rest.as_bytes());
        self.out.push(b'"');
    }
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The first byte that a string writes otherwise. Pieces without one are
/// passed over whole, many bytes at a time: most texts have none.
fn first_special(text: &[u8]) -> Option<usize> {
    let none = |piece: &[u8]| {
        !piece
            .iter()
            .fold(false, |any, byte| any | is_special(*byte))
    };
    let plain = text.chunks(32).take_while(|piece| none(piece)).count() * 32;
    let rest = text.get(plain..)?;
    let at = rest.iter().position(|byte| is_special(*byte))?;
    Some(plain + at)
}

/// An object on its way: its members stand in the text as they come, and are
/// put in order at its end.
#[derive(Debug)]
pub(super) struct Members<'a> {
    writer: &'a mut Writer,
    start: usize,
    members: Vec<(Cow<'static, str>, Range<usize>)>,
    /// Whether all keys are ASCII: then their bytes are in the order of their
    /// UTF-16 units.
    ascii: bool,
    /// Whether another object is to be closed around it.
    wrapped: bool,
}

impl<'a> Members<'a> {
    fn new(writer: &'a mut Writer, count: usize, wrapped: bool) -> Self {
        writer.out.push(b'{');
        Self {
            start: writer.out.len(),
            members: Vec::with_capacity(count),
            ascii: true,
            writer,
            wrapped,
        }
    }

    fn member<T: ?Sized + Serialize>(
        &mut self,
        key: Cow<'static, str>,
        value: &T,
    ) -> Result<(), CanonicalFault> {
        if !self.members.is_empty() {
            self.writer.out.push(b',');
        }
        let start = self.writer.out.len();
        self.writer.string(&key);
        self.writer.out.push(b':');
        value.serialize(&mut *self.writer)?;
        self.ascii &= key.is_ascii();
        self.members.push((key, start..self.writer.out.len()));
        Ok(())
    }

    /// RFC 8785, section 3.2.3: by UTF-16 units.
    fn close(mut self) -> Result<(), CanonicalFault> {
        let ascii = self.ascii;
        let order = |a: &str, b: &str| {
            if ascii {
                a.cmp(b)
            } else {
                a.encode_utf16().cmp(b.encode_utf16())
            }
        };
        if !self
            .members
            .is_sorted_by(|(a, _), (b, _)| order(a, b).is_lt())
        {
            self.members.sort_by(|(a, _), (b, _)| order(a, b));
            let twice = |pair: &[(Cow<'static, str>, Range<usize>)]| match pair {
                [(a, _), (b, _)] => a == b,
                _ => false,
            };
            if self.members.windows(2).any(twice) {
                return Err(CanonicalFault::Shape);
            }
            let mut sorted = Vec::with_capacity(self.writer.out.len() - self.start);
            for (_, range) in &self.members {
                if !sorted.is_empty() {
                    sorted.push(b',');
                }
                let member = self.writer.out.get(range.clone());
                sorted.extend_from_slice(member.unwrap_or_default());
            }
            self.writer.out.truncate(self.start);
            self.writer.out.append(&mut sorted);
        }
        self.writer.out.push(b'}');
        if self.wrapped {
            self.writer.out.push(b'}');
        }
        Ok(())
    }
}

/// A map on its way.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    members: Members<'a>,
    key: Option<String>,
}

/// A list on its way.
#[derive(Debug)]
pub(super) struct Items<'a> {
    writer: &'a mut Writer,
    first: bool,
    wrapped: bool,
}

impl<'a> Items<'a> {
    fn new(writer: &'a mut Writer, wrapped: bool) -> Self {
        writer.out.push(b'[');
        Self {
            writer,
            first: true,
            wrapped,
        }
    }

    fn item<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CanonicalFault> {
        if !std::mem::take(&mut self.first) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Result<(), CanonicalFault> {
        self.writer.out.push(b']');
        if self.wrapped {
            self.writer.out.push(b'}');
        }
        Ok(())
    }
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = CanonicalFault;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Members<'a>;
    type SerializeStructVariant = Members<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), CanonicalFault> {
        self.out
            .extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }
    fn serialize_i8(self, value: i8) -> Result<(), CanonicalFault> {
        self.serialize_i64(value.into())
    }
    fn serialize_i16(self, value: i16) -> Result<(), CanonicalFault> {
        self.serialize_i64(value.into())
    }
    fn serialize_i32(self, value: i32) -> Result<(), CanonicalFault> {
        self.serialize_i64(value.into())
    }
    fn serialize_i64(self, value: i64) -> Result<(), CanonicalFault> {
        self.integer(value.unsigned_abs(), value < 0)
    }
    fn serialize_u8(self, value: u8) -> Result<(), CanonicalFault> {
        self.serialize_u64(value.into())
    }
    fn serialize_u16(self, value: u16) -> Result<(), CanonicalFault> {
        self.serialize_u64(value.into())
    }
    fn serialize_u32(self, value: u32) -> Result<(), CanonicalFault> {
        self.serialize_u64(value.into())
    }
    fn serialize_u64(self, value: u64) -> Result<(), CanonicalFault> {
        self.integer(value, false)
    }
    fn serialize_f32(self, _: f32) -> Result<(), CanonicalFault> {
        Err(CanonicalFault::Number)
    }
    fn serialize_f64(self, _: f64) -> Result<(), CanonicalFault> {
        Err(CanonicalFault::Number)
    }
    fn serialize_char(self, value: char) -> Result<(), CanonicalFault> {
        self.string(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Result<(), CanonicalFault> {
        self.string(value);
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Result<(), CanonicalFault> {
        value.serialize(self)
    }
    fn serialize_none(self) -> Result<(), CanonicalFault> {
        self.serialize_unit()
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), CanonicalFault> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), CanonicalFault> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), CanonicalFault> {
        self.serialize_unit()
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), CanonicalFault> {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), CanonicalFault> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), CanonicalFault> {
        let mut members = Members::new(self, 1, false);
        members.member(Cow::Borrowed(variant), value)?;
        members.close()
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, CanonicalFault> {
        Ok(Items::new(self, false))
    }
    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, CanonicalFault> {
        Ok(Items::new(self, false))
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Items<'a>, CanonicalFault> {
        Ok(Items::new(self, false))
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, CanonicalFault> {
        self.out.push(b'{');
        self.string(variant);
        self.out.push(b':');
        Ok(Items::new(self, true))
    }
    fn serialize_map(self, count: Option<usize>) -> Result<Entries<'a>, CanonicalFault> {
        // LIMIT: what a value says of itself is believed up to here.
        const COUNT_MAX: usize = 64;
        let count = count.unwrap_or(0).min(COUNT_MAX);
        Ok(Entries {
            members: Members::new(self, count, false),
            key: None,
        })
    }
    fn serialize_struct(
        self,
        _: &'static str,
        count: usize,
    ) -> Result<Members<'a>, CanonicalFault> {
        Ok(Members::new(self, count, false))
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Members<'a>, CanonicalFault> {
        self.out.push(b'{');
        self.string(variant);
        self.out.push(b':');
        Ok(Members::new(self, count, true))
    }
}

macro_rules! items {
    ($($trait:ident $call:ident),*) => {$(
        impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = CanonicalFault;
            fn $call<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CanonicalFault> {
                self.item(value)
            }
            fn end(self) -> Result<(), CanonicalFault> {
                self.close()
            }
        }
    )*};
}
items!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

macro_rules! members {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Members<'_> {
            type Ok = ();
            type Error = CanonicalFault;
            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), CanonicalFault> {
                self.member(Cow::Borrowed(key), value)
            }
            fn end(self) -> Result<(), CanonicalFault> {
                self.close()
            }
        }
    )*};
}
members!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = CanonicalFault;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), CanonicalFault> {
        self.key = Some(key.serialize(Key)?);
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), CanonicalFault> {
        let key = self.key.take().ok_or(CanonicalFault::Shape)?;
        self.members.member(Cow::Owned(key), value)
    }
    fn end(self) -> Result<(), CanonicalFault> {
        self.members.close()
    }
}
