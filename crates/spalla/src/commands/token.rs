//! `spalla token`: prints the administrator token of a data folder, and makes, lists and revokes the tokens of others.

use super::ServerArgs;
use crate::cli::Global;
use crate::client::query;
use crate::data_folder::DataFolder;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::{self, cell};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Prints the administrator token alone on one line
    Show,
    /// Makes a token and prints it alone on one line: this once
    Create(Create),
    /// Lists the tokens, newest first; without what is shown
    List(List),
    /// Makes a token worth nothing from now on
    Revoke(Revoke),
}

/// A new token.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// As what its bearer is let in: viewer, operator, approver or admin; a worker needs none
    #[arg(long)]
    role: Option<String>,
    /// What it is called in the audit [default: the role, or worker]
    #[arg(long)]
    name: Option<String>,
    /// Who shows it: user or worker
    #[arg(long, default_value = "user")]
    kind: String,
    /// The projects in which it counts; all when left out
    #[arg(long, value_name = "ID", num_args = 1..)]
    project: Vec<i64>,
    /// After how long it is worth nothing, such as 12h or 7d; never when left out
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires: Option<u64>,
    /// A role that approvals may ask for, such as lead
    #[arg(long, value_name = "ROLE")]
    approval_role: Vec<String>,
    /// Prints the token with all that is known of it as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// A list of tokens.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// A token that goes.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The token's id
    id: i64,
    /// Shows which token it is and revokes nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Token {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::Show => show(global),
            Self::Create(args) => args.run(global),
            Self::List(args) => args.server.clone().talk(global, |client| async move {
                let limit = query(&[("limit", Some(args.limit.to_string()))]);
                let tokens = client.get(&format!("/tokens{limit}")).await?;
                if args.json {
                    return output::json(&tokens).map(|()| Exit::Done);
                }
                let columns =
                    ["id", "name", "kind", "role", "project_ids", "status", "expires_at", "made_by"];
                output::rows(&tokens, &columns, "there are no tokens but the administrator's")?;
                Ok(Exit::Done)
            }),
            Self::Revoke(args) => args.server.clone().talk(global, |client| async move {
                let path = format!("/tokens/{}", args.id);
                if args.dry_run {
                    let token = client.get(&path).await?;
                    output::line(format_args!("would revoke {}", cell(&token["principal"])))?;
                    return Ok(Exit::Done);
                }
                client.delete(&path).await?;
                output::line(format_args!("token {} opens nothing any more", args.id))?;
                Ok(Exit::Done)
            }),
        }
    }
}

fn show(global: &Global) -> Result<Exit> {
    let config = global.config(Vec::new())?;
    let folder = DataFolder::at(&config.settings.data);
    let token = folder.token()?.ok_or_else(|| {
        Failure::usage(format!("{} holds no token yet", folder.path().display()))
            .mend("start a server there once (`spalla up`), or name another folder with --data DIR")
    })?;
    output::line(token)?;
    Ok(Exit::Done)
}

impl Create {
    fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let name = self.name.clone().or_else(|| self.role.clone()).unwrap_or_else(|| self.kind.clone());
            let mut body = json!({"name": name, "kind": self.kind, "approval_roles": self.approval_role});
            let members = [
                ("role", self.role.map(Value::from)),
                ("project_ids", (!self.project.is_empty()).then(|| json!(self.project))),
                ("expires_in_seconds", self.expires.map(Value::from)),
            ];
            for (member, value) in members {
                if let Some(value) = value {
                    body[member] = value;
                }
            }
            let made = client.post("/tokens", &body).await?;
            if self.json {
                return output::json(&made).map(|()| Exit::Done);
            }
            output::line(cell(&made["token"]))?;
            Ok(Exit::Done)
        })
    }
}

/// Reads a time such as `90s`, `15m`, `12h` or `7d`.
fn seconds(text: &str) -> std::result::Result<u64, String> {
    let wrong = || format!("{text:?} is no time such as 90s, 15m, 12h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(each).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(["90s", "15m", "12h", "7d"].map(seconds), [Ok(90), Ok(900), Ok(43_200), Ok(604_800)]);
        for odd in ["", "7", "d", "-1d", "0d", "1w", "1.5h", "99999999999999999999d", "7é"] {
            assert!(seconds(odd).is_err(), "{odd}");
        }
    }
}
