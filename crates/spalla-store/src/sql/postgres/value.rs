//! Values on their way to Postgres and back: three kinds on our side, the types of parameters and columns on its.

use crate::sql::statement::{Call, Compiled, Kind, Row, Same, Value};
use tokio_postgres::types::{FromSql, ToSql, Type};

/// A parameter as the driver takes it.
pub(super) type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// Returns the parameters of a call: the scalars, then for each column of its rows one array, or the value that it has in
/// all of them.
pub(super) fn parameters<'a>(
    compiled: &Compiled,
    types: &[Type],
    call: &'a Call,
    same: Same,
) -> Result<Vec<Parameter<'a>>, String> {
    let scalars = call.scalars.iter().zip(types).zip(&compiled.scalars);
    let scalars =
        scalars.map(|((value, ty), name)| scalar(value, ty).map_err(|why| format!(":{name} {why}")));
    let columns = compiled.columns.iter().flatten().enumerate();
    let arrays = columns.map(|(at, (name, kind))| {
        let parameter = match call.rows.first().and_then(|row| row.get(at)).filter(|_| same.has(at)) {
            Some(value) => scalar(value, &type_of(*kind)).ok(),
            None => array(&call.rows, at, *kind),
        };
        parameter.ok_or_else(|| format!("column {name} of the rows is not of its kind"))
    });
    scalars.chain(arrays).collect()
}

fn scalar<'a>(value: &'a Value, ty: &Type) -> Result<Parameter<'a>, String> {
    let misfit =
        || format!("is {ty} to Postgres, and {} was given; cast it in the statement", kind_of(value));
    Ok(match (value, ty) {
        (Value::Null, ty) => null(ty).ok_or_else(misfit)?,
        (Value::Int(number), &Type::INT8) => Box::new(*number),
        (Value::Int(number), &Type::INT4) => Box::new(i32::try_from(*number).map_err(|_| misfit())?),
        (Value::Int(number), &Type::INT2) => Box::new(i16::try_from(*number).map_err(|_| misfit())?),
        (Value::Int(number), &Type::BOOL) => Box::new(*number != 0),
        (Value::Text(text), ty) if <&str as ToSql>::accepts(ty) => Box::new(text.as_str()),
        (Value::Blob(bytes), &Type::BYTEA) => Box::new(bytes.as_slice()),
        _ => return Err(misfit()),
    })
}

const fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Int => Type::INT8,
        Kind::Text => Type::TEXT,
        Kind::Blob => Type::BYTEA,
    }
}

fn null<'a>(ty: &Type) -> Option<Parameter<'a>> {
    Some(match *ty {
        Type::INT8 => Box::new(None::<i64>),
        Type::INT4 => Box::new(None::<i32>),
        Type::INT2 => Box::new(None::<i16>),
        Type::BOOL => Box::new(None::<bool>),
        Type::BYTEA => Box::new(None::<&[u8]>),
        _ if <&str as ToSql>::accepts(ty) => Box::new(None::<&str>),
        _ => return None,
    })
}

fn array(rows: &[Row], at: usize, kind: Kind) -> Option<Parameter<'_>> {
    fn column<'a, T: 'a>(
        rows: &'a [Row],
        at: usize,
        read: impl Fn(&'a Value) -> Option<Option<T>>,
    ) -> Option<Vec<Option<T>>> {
        rows.iter().map(|row| row.get(at).and_then(&read)).collect()
    }
    Some(match kind {
        Kind::Int => Box::new(column(rows, at, |value| match value {
            Value::Null => Some(None),
            Value::Int(number) => Some(Some(*number)),
            _ => None,
        })?),
        Kind::Text => Box::new(column(rows, at, |value| match value {
            Value::Null => Some(None),
            Value::Text(text) => Some(Some(text.as_str())),
            _ => None,
        })?),
        Kind::Blob => Box::new(column(rows, at, |value| match value {
            Value::Null => Some(None),
            Value::Blob(bytes) => Some(Some(bytes.as_slice())),
            _ => None,
        })?),
    })
}

/// Reads a row of an answer.
pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, String> {
    (0..row.len()).map(|at| cell(row, at)).collect()
}

fn cell(row: &tokio_postgres::Row, at: usize) -> Result<Value, String> {
    let column = &row.columns()[at];
    match *column.type_() {
        Type::INT8 => read(row, at, Value::Int),
        Type::INT4 => read(row, at, |number: i32| Value::Int(number.into())),
        Type::INT2 => read(row, at, |number: i16| Value::Int(number.into())),
        Type::BOOL => read(row, at, |flag: bool| Value::Int(flag.into())),
        Type::BYTEA => read(row, at, Value::Blob),
        Type::VOID => Ok(Value::Null),
        ref ty if <String as FromSql<'_>>::accepts(ty) => read(row, at, Value::Text),
        ref ty => Err(format!("column {} is {ty}; cast it to bigint, text or bytea", column.name())),
    }
}

fn read<'a, T: FromSql<'a>>(
    row: &'a tokio_postgres::Row,
    at: usize,
    wrap: impl Fn(T) -> Value,
) -> Result<Value, String> {
    let value = row.try_get::<_, Option<T>>(at).map_err(|error| error.to_string())?;
    Ok(value.map_or(Value::Null, wrap))
}

const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Int(_) => "an integer",
        Value::Text(_) => "text",
        Value::Blob(_) => "bytes",
    }
}
