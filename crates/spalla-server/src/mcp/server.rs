//! The server of tools: which there are, and how a call of one is answered. What goes wrong in a tool is told to the agent,
//! which can do something about it.

use super::Way;
use super::calls::Calls;
use super::tools;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, model};
use serde_json::Value;

/// What an agent reads first.
const INSTRUCTIONS: &str = "Spalla runs you. Tell it what you find and finish with spalla_emit, ask a person with \
    spalla_ask where only a person can decide, and read what you are to do with spalla_get_item. Speak with other agents \
    by spalla_send_message and spalla_read_messages.";

/// The tools, and what they call.
#[derive(Debug)]
pub struct Server<W> {
    way: W,
    run: Option<i64>,
}

impl<W: Way> Server<W> {
    /// Offers the tools by a way to the interface, in the name of a run; where none is named, of the run whose token it is.
    pub const fn new(way: W, run: Option<i64>) -> Self {
        Self { way, run }
    }
}

impl<W: Way> ServerHandler for Server<W> {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("spalla", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let calls = Calls::new(&self.way, &context.extensions, self.run);
        let called = async {
            match request.name.as_ref() {
                tools::EMIT => Some(calls.emit(arguments).await),
                tools::ASK => Some(Box::pin(calls.ask(arguments)).await),
                tools::GET_ITEM => Some(calls.item(arguments).await),
                tools::CREATE_ITEM => Some(calls.create_item(arguments).await),
                tools::LIST_ITEMS => Some(calls.items(arguments).await),
                tools::SEND_MESSAGE => Some(calls.send_message(arguments).await),
                tools::READ_MESSAGES => Some(Box::pin(calls.read_messages(arguments)).await),
                _ => None,
            }
        };
        let called = tokio::select! {
            called = called => called,
            // Nobody waits for the answer any more.
            () = context.ct.cancelled() => Some(Err("the call was cancelled".to_owned())),
        };
        match called {
            Some(Ok(value)) => Ok(CallToolResult::structured(value).into()),
            Some(Err(why)) => Ok(CallToolResult::error(vec![ContentBlock::text(why)]).into()),
            None => {
                let message = format!("there is no tool {:?}", request.name);
                Err(ErrorData::new(model::ErrorCode::INVALID_PARAMS, message, None))
            }
        }
    }
}
