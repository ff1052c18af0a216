//! Cloud hints: which clouds a work item speaks of, which programs and values a run of it then needs, and which of the
//! values go into a file.

use crate::info_request::InfoField;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A cloud that a work item can speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud Platform.
    Gcp,
    /// Microsoft Azure.
    Azure,
    /// Kubernetes, wherever it runs.
    #[serde(rename = "k8s")]
    Kubernetes,
}

/// A value that a run finds in a file of its own, readable for its user only and removed with the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FileField {
    /// The field whose value is written into the file.
    pub field: &'static str,
    /// The variable that names the file.
    pub variable: &'static str,
}

impl Cloud {
    /// Every cloud.
    pub const ALL: [Self; 4] = [Self::Aws, Self::Gcp, Self::Azure, Self::Kubernetes];

    /// Returns the cloud's short name, which is its label too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Kubernetes => "k8s",
        }
    }

    /// Returns the words that hint at it.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["aws"],
            Self::Gcp => &["gcp"],
            Self::Azure => &["azure"],
            Self::Kubernetes => &["k8s", "kubernetes"],
        }
    }

    /// Returns the programs that are looked for; one of them is enough.
    pub const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["aws"],
            Self::Gcp => &["gcloud"],
            Self::Azure => &["az"],
            Self::Kubernetes => &["kubectl", "helm"],
        }
    }

    /// Returns the field whose value goes into a file.
    pub const fn file(self) -> Option<FileField> {
        match self {
            Self::Aws | Self::Azure => None,
            Self::Gcp => Some(FileField {
                field: "GOOGLE_APPLICATION_CREDENTIALS_JSON",
                variable: "GOOGLE_APPLICATION_CREDENTIALS",
            }),
            Self::Kubernetes => Some(FileField { field: "KUBECONFIG_CONTENT", variable: "KUBECONFIG" }),
        }
    }

    /// Returns the values that a run needs.
    pub fn fields(self) -> Vec<InfoField> {
        let open = |name, description, example| field(name, false, description, example);
        match self {
            Self::Aws => vec![
                open("AWS_ACCESS_KEY_ID", "The id of an access key.", "AKIAIOSFODNN7EXAMPLE"),
                field(
                    "AWS_SECRET_ACCESS_KEY",
                    true,
                    "The secret of that access key.",
                    "40 letters, digits, / and +",
                ),
                open("AWS_DEFAULT_REGION", "The region to work in.", "eu-central-1"),
            ],
            Self::Gcp => vec![
                InfoField {
                    schema: Some(serde_json::json!({"type": "object"})),
                    ..field(
                        "GOOGLE_APPLICATION_CREDENTIALS_JSON",
                        true,
                        "The key file of a service account, with all that is in it.",
                        r#"{"type": "service_account", "project_id": "my-project", …}"#,
                    )
                },
                open("GOOGLE_CLOUD_PROJECT", "The id of the project to work in.", "my-project-123456"),
            ],
            Self::Azure => vec![
                open("AZURE_CLIENT_ID", "The application id of a service principal.", UUID),
                open("AZURE_TENANT_ID", "The directory that it belongs to.", UUID),
                field("AZURE_CLIENT_SECRET", true, "The secret of that service principal.", "40 characters"),
                open("AZURE_SUBSCRIPTION_ID", "The subscription to work in.", UUID),
            ],
            Self::Kubernetes => vec![field(
                "KUBECONFIG_CONTENT",
                true,
                "A kubeconfig file, with all that is in it.",
                "apiVersion: v1\nkind: Config\n…",
            )],
        }
    }
}

const UUID: &str = "00000000-0000-0000-0000-000000000000";

fn field(name: &str, secret: bool, description: &str, example: &str) -> InfoField {
    InfoField {
        description: Some(description.to_owned()),
        example: Some(example.to_owned()),
        ..InfoField::new(name, secret)
    }
}

/// Returns the clouds that a title and labels speak of, by whole words in any case.
pub fn hinted(title: &str, labels: &[String]) -> Vec<Cloud> {
    let texts = std::iter::once(title).chain(labels.iter().map(String::as_str));
    let words: BTreeSet<String> =
        texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase).collect();
    let speaks_of = |cloud: &Cloud| cloud.words().iter().any(|word| words.contains(*word));
    Cloud::ALL.into_iter().filter(speaks_of).collect()
}

/// Returns what to ask for in one request: the values of the clouds that are not there yet. A value that goes into a
/// file is there when its file is already named.
pub fn missing(clouds: &[Cloud], is_set: impl Fn(&str) -> bool) -> Vec<InfoField> {
    let mut fields: Vec<InfoField> = Vec::new();
    for cloud in clouds {
        let in_file = |field: &InfoField| cloud.file().filter(|file| file.field == field.name);
        let is_there =
            |field: &InfoField| is_set(&field.name) || in_file(field).is_some_and(|f| is_set(f.variable));
        let is_new =
            |fields: &[InfoField], field: &InfoField| !fields.iter().any(|other| other.name == field.name);
        for field in cloud.fields().into_iter().filter(|field| !is_there(field)) {
            if is_new(&fields, &field) {
                fields.push(field);
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info_request::check_request;

    fn hints(title: &str, labels: &[&str]) -> Vec<&'static str> {
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        hinted(title, &labels).into_iter().map(Cloud::as_str).collect()
    }

    fn names(fields: Vec<InfoField>) -> Vec<String> {
        fields.into_iter().map(|field| field.name).collect()
    }

    #[test]
    fn whole_words_of_title_and_labels_hint_and_parts_of_words_do_not() {
        assert_eq!(hints("Deploy to AWS", &[]), ["aws"]);
        assert_eq!(hints("Deploy", &["cloud:gcp", "team-k8s"]), ["gcp", "k8s"]);
        assert_eq!(hints("Roll out on Kubernetes in azure", &[]), ["azure", "k8s"]);
        assert_eq!(hints("Fix the laws of awsome gcpx", &["azures"]), [""; 0]);
    }

    #[test]
    fn only_what_is_not_there_is_asked_for() {
        assert_eq!(
            names(missing(&[Cloud::Aws], |name| name == "AWS_DEFAULT_REGION")),
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        );
        assert_eq!(
            names(missing(&[Cloud::Gcp, Cloud::Kubernetes], |name| name == "GOOGLE_APPLICATION_CREDENTIALS")),
            ["GOOGLE_CLOUD_PROJECT", "KUBECONFIG_CONTENT"]
        );
        assert_eq!(missing(&Cloud::ALL, |_| true), []);
    }

    #[test]
    fn what_is_asked_for_all_clouds_at_once_is_a_valid_request() {
        let fields = missing(&Cloud::ALL, |_| false);
        assert_eq!(fields.len(), 10);
        assert_eq!(check_request("credentials are missing", &fields), Ok(()));
        let secrets: Vec<String> = names(fields.into_iter().filter(|field| field.secret).collect());
        assert_eq!(
            secrets,
            [
                "AWS_SECRET_ACCESS_KEY",
                "GOOGLE_APPLICATION_CREDENTIALS_JSON",
                "AZURE_CLIENT_SECRET",
                "KUBECONFIG_CONTENT"
            ]
        );
    }

    #[test]
    fn what_goes_into_a_file_is_one_of_the_fields() {
        for cloud in Cloud::ALL {
            if let Some(file) = cloud.file() {
                assert!(
                    cloud.fields().iter().any(|field| field.name == file.field && field.secret),
                    "{file:?}"
                );
            }
        }
    }
}
