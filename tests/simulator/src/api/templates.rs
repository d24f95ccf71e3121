//! The Templates API. Templates are kept and listed; nothing is rendered.

use super::{ApiBody, Call, Refusal, Reply, field, flag_of, text_of};
use crate::Simulator;
use crate::account::Template;
use crate::json::Json;
use serde_json::{Map, Value};

/// Templates of a server.
const TEMPLATES_MAX: usize = 100;

impl Simulator {
    fn template_of(&self, server: usize, id: &str) -> Result<usize, Refusal> {
        let mut all = self.servers[server].templates.iter();
        let found = all.position(|template| {
            template.id.to_string() == id
                || template.active
                    && template.field("Alias").as_str().is_some_and(|alias| alias.eq_ignore_ascii_case(id))
        });
        found.ok_or_else(|| {
            Refusal::business(1101, "The 'TemplateId' or 'TemplateAlias' is not valid or not active.")
        })
    }

    /// Subject, HTML and text of the template that a message names.
    pub(super) fn template_texts(
        &self,
        server: usize,
        message: &Map<String, Value>,
    ) -> Result<(String, String, String), Refusal> {
        let id = match field(message, "TemplateId") {
            Some(Value::Number(id)) => id.to_string(),
            Some(Value::String(id)) => id.clone(),
            _ => text_of(message, "TemplateAlias").to_owned(),
        };
        if !matches!(field(message, "TemplateModel"), Some(Value::Object(_))) {
            return Err(Refusal::business(403, "The 'TemplateModel' is missing."));
        }
        let index = self.template_of(server, &id)?;
        let template = &self.servers[server].templates[index];
        let text = |name| template.field(name).as_str().unwrap_or("").to_owned();
        Ok((text("Subject"), text("HtmlBody"), text("TextBody")))
    }

    fn template_fields(&self, json: &mut Json, server: usize, index: usize, whole: bool) {
        let template = &self.servers[server].templates[index];
        json.number("TemplateId", template.id);
        json.text("Name", template.field("Name").as_str().unwrap_or(""));
        json.truth("Active", template.active);
        for key in ["Alias", "LayoutTemplate"] {
            json.raw(key, template.field(key).to_string().as_bytes());
        }
        json.text("TemplateType", template.field("TemplateType").as_str().unwrap_or("Standard"));
        if whole {
            json.number("AssociatedServerId", self.servers[server].id);
            for key in ["Subject", "HtmlBody", "TextBody"] {
                json.raw(key, template.field(key).to_string().as_bytes());
            }
        }
    }

    fn template_reply(&self, server: usize, index: usize, whole: bool) -> Reply {
        let mut json = Json::object();
        self.template_fields(&mut json, server, index, whole);
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn list_templates(&mut self, call: &Call) -> Reply {
        let (count, offset) = call.page(1100)?;
        let wanted = call.parameter("templatetype").filter(|kind| !kind.eq_ignore_ascii_case("all"));
        let layout = call.parameter("layouttemplate");
        let templates = &self.servers[call.server].templates;
        let found: Vec<usize> = (0..templates.len())
            .filter(|index| templates[*index].active)
            .filter(|index| {
                let kind = templates[*index].field("TemplateType").as_str().unwrap_or("Standard");
                wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind))
                    && layout.is_none_or(|layout| templates[*index].field("LayoutTemplate") == layout)
            })
            .collect();
        let mut json = Json::object();
        json.number("TotalCount", found.len() as u64);
        json.objects("Templates", found.iter().skip(offset).take(count), |json, index| {
            self.template_fields(json, call.server, *index, false);
        });
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn get_template(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.template_of(call.server, id)?;
        self.template_reply(call.server, index, true)
    }

    pub(super) fn create_template(&mut self, call: &Call) -> Reply {
        let fields = call.object(402)?;
        let layout = text_of(&fields, "TemplateType").eq_ignore_ascii_case("Layout");
        if text_of(&fields, "Name").is_empty() {
            return Err(Refusal::business(1121, "The template's 'Name' is required."));
        }
        if text_of(&fields, "Subject").is_empty() != layout {
            let message = "A standard template needs a 'Subject', a layout has none.";
            return Err(Refusal::business(1122, message));
        }
        if text_of(&fields, "HtmlBody").is_empty() && text_of(&fields, "TextBody").is_empty() {
            return Err(Refusal::business(1123, "The template needs an 'HtmlBody' or a 'TextBody'."));
        }
        let alias = text_of(&fields, "Alias");
        if !alias.is_empty() && self.template_of(call.server, alias).is_ok() {
            return Err(Refusal::business(1125, "The template's 'Alias' is taken."));
        }
        let templates = &self.servers[call.server].templates;
        if templates.iter().filter(|template| template.active).count() >= TEMPLATES_MAX {
            return Err(Refusal::business(1105, format!("A server has at most {TEMPLATES_MAX} templates.")));
        }
        let id = 30_000_000 + self.new_id();
        let templates = &mut self.servers[call.server].templates;
        templates.push(Template { id, active: true, fields });
        let index = templates.len() - 1;
        self.template_reply(call.server, index, false)
    }

    pub(super) fn edit_template(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.template_of(call.server, id)?;
        let mut fields = call.object(402)?;
        fields.remove("TemplateType");
        self.servers[call.server].templates[index].fields.append(&mut fields);
        self.template_reply(call.server, index, false)
    }

    pub(super) fn delete_template(&mut self, call: &Call, id: &str) -> Reply {
        let index = self.template_of(call.server, id)?;
        self.servers[call.server].templates[index].active = false;
        Ok(ApiBody::json(super::error_json(0, &format!("Template {id} removed."))))
    }

    pub(super) fn validate_template(&mut self, call: &Call) -> Reply {
        let fields = call.object(402)?;
        let mut all = true;
        let mut json = Json::object();
        for key in ["Subject", "HtmlBody", "TextBody"] {
            let Some(body) = field(&fields, key).and_then(Value::as_str) else { continue };
            let good = body.matches("{{").count() == body.matches("}}").count();
            all &= good;
            json.nested(key, |json| {
                json.truth("ContentIsValid", good);
                json.objects("ValidationErrors", (!good).then_some(()).into_iter(), |json, ()| {
                    json.text("Message", "The template's braces do not match.");
                });
                json.text("RenderedContent", if good { body } else { "" });
            });
        }
        json.truth("AllContentIsValid", all);
        json.raw("SuggestedTemplateModel", b"{}");
        Ok(ApiBody::json(json.end()))
    }

    pub(super) fn push_templates(&mut self, call: &Call) -> Reply {
        let body = call.object(402)?;
        let server = |key: &str| {
            let id = field(&body, key).and_then(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()));
            id.and_then(|id| self.server_index(id))
                .ok_or_else(|| Refusal::business(1130, format!("The server of '{key}' was not found.")))
        };
        let (source, destination) = (server("SourceServerID")?, server("DestinationServerID")?);
        let perform = flag_of(&body, "PerformChanges").unwrap_or(false);
        let mut pushed = Vec::new();
        for at in 0..self.servers[source].templates.len() {
            let template = &self.servers[source].templates[at];
            let Some(alias) = template.field("Alias").as_str().filter(|_| template.active) else { continue };
            let (alias, fields) = (alias.to_owned(), template.fields.clone());
            let known = self.template_of(destination, &alias).ok();
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
            let (name, kind) = (text("Name"), text("TemplateType"));
            let id = match known {
                Some(index) => self.servers[destination].templates[index].id,
                None => 30_000_000 + self.new_id(),
            };
            if perform {
                let templates = &mut self.servers[destination].templates;
                match known {
                    Some(index) => templates[index].fields = fields,
                    None => templates.push(Template { id, active: true, fields }),
                }
            }
            pushed.push((known.is_some(), id, alias, name, kind));
        }
        let mut json = Json::object();
        json.number("TotalCount", pushed.len() as u64);
        json.objects("Templates", pushed.iter(), |json, (known, id, alias, name, kind)| {
            json.text("Action", if *known { "Edit" } else { "Create" });
            json.number("TemplateId", *id);
            json.text("Alias", alias);
            json.text("Name", name);
            json.text("TemplateType", if kind.is_empty() { "Standard" } else { kind });
        });
        Ok(ApiBody::json(json.end()))
    }
}
