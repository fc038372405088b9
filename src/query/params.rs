use crate::capability::FieldName;
use crate::filter::{Lookup, misread_text};
use crate::resource::Resource;

/// The field and lookup that a parameter names, or what is wrong with it.
pub(super) fn checked<R: Resource>(name: &str, value: &str) -> Result<(FieldName, Lookup), String> {
    let known = R::FIELD_INFO.iter().find_map(|info| {
        let lookup = name.strip_prefix(info.wire_name())?;
        let lookup = info.lookups().find(|known| known.suffix() == lookup)?;
        Some((info, lookup))
    });
    let Some((info, lookup)) = known else { return Err(unknown::<R>(name)) };
    if let Some(problem) = misread_text(value) {
        return Err(format!("parameter `{name}`: {problem}"));
    }
    let is_flag = lookup == Lookup::IsNull || info.is_boolean();
    let flags = ["true", "false", "1", "0"];
    if is_flag && !flags.iter().any(|flag| flag.eq_ignore_ascii_case(value)) {
        return Err(format!(
            "parameter `{name}`: the server ignores all but `true` and `false` here"
        ));
    }
    Ok((info.name(), lookup))
}

fn unknown<R: Resource>(name: &str) -> String {
    let way = match name {
        "_search" => "use `search`",
        "_order" => "use `order_by`",
        "_limit" | "_offset" => "use `page_size` or `page`",
        _ if R::FIELD_INFO.is_empty() => {
            "the resource has no table of its fields; send it `unchecked` if the server knows it"
        }
        _ => {
            let field = name.split_once("__").map_or(name, |(field, _)| field);
            let info = R::FIELD_INFO.iter().find(|info| info.wire_name() == field);
            let (of_what, known) = match info {
                Some(info) => (format!("field `{field}`"), info.parameters().collect()),
                None => (R::NAME.to_owned(), filterable::<R>()),
            };
            let known: Vec<String> = known;
            return match known.is_empty() {
                true => format!(
                    "parameter `{name}`: the server does not filter by {of_what} and would return \
                     every record"
                ),
                false => format!(
                    "parameter `{name}`: the server would ignore it and return every record; of \
                     {of_what} it knows {}",
                    known.join(", ")
                ),
            };
        }
    };
    format!("parameter `{name}`: {way}")
}

/// The names of the fields that the server filters by.
fn filterable<R: Resource>() -> Vec<String> {
    let infos = R::FIELD_INFO.iter().filter(|info| info.parameters().next().is_some());
    infos.map(|info| info.wire_name().to_owned()).collect()
}
