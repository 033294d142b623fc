//! Keys of maps, which JSON writes as texts.

use serde::ser::{self, Impossible, Serialize};

use super::CanonicalFault;

/// A key of a map: a text, or what is written as one.
pub(super) struct Key;

macro_rules! no_key {
    ($($call:ident $type:ty),*) => {$(
        fn $call(self, _: $type) -> Result<String, CanonicalFault> {
            Err(CanonicalFault::Shape)
        }
    )*};
}

macro_rules! number_key {
    ($($call:ident $type:ty),*) => {$(
        fn $call(self, value: $type) -> Result<String, CanonicalFault> {
            Ok(value.to_string())
        }
    )*};
}

impl ser::Serializer for Key {
    type Ok = String;
    type Error = CanonicalFault;
    type SerializeSeq = Impossible<String, CanonicalFault>;
    type SerializeTuple = Impossible<String, CanonicalFault>;
    type SerializeTupleStruct = Impossible<String, CanonicalFault>;
    type SerializeTupleVariant = Impossible<String, CanonicalFault>;
    type SerializeMap = Impossible<String, CanonicalFault>;
    type SerializeStruct = Impossible<String, CanonicalFault>;
    type SerializeStructVariant = Impossible<String, CanonicalFault>;

    number_key!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64,
        serialize_char char
    );
    no_key!(serialize_bool bool, serialize_f32 f32, serialize_f64 f64, serialize_bytes &[u8]);

    fn serialize_str(self, value: &str) -> Result<String, CanonicalFault> {
        Ok(value.to_owned())
    }
    fn serialize_none(self) -> Result<String, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_some<T: ?Sized + Serialize>(self, _: &T) -> Result<String, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_unit(self) -> Result<String, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<String, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, CanonicalFault> {
        Ok(variant.to_owned())
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<String, CanonicalFault> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, CanonicalFault> {
        Err(CanonicalFault::Shape)
    }
}
