// Every word on the page, in both languages; the choice is remembered on this computer.

const zh = {
  skip: "跳到内容", tabs: "页面", tab_ask: "问答", tab_documents: "文档", sign_out: "退出", sign_in: "进入",
  welcome: "问公司的文档", welcome_lead: "回答只来自您有权阅读的文档，每一句都注明出处；文档里没有的，会如实说不知道。",
  key_label: "API 密钥", key_hint: "密钥只保存在这个标签页里，关闭即忘。示例人员的密钥在数据目录的 credentials.json 中。",
  conversation: "对话", question_label: "问题", question_placeholder: "请输入问题（Shift + 回车换行）",
  search_in: "范围", all_spaces: "全部空间", new_conversation: "新对话", send: "提问", stop: "停止",
  searching: "正在检索…", found: "找到 {n} 段相关内容，正在作答…", found_none: "没有找到相关内容。",
  empty_title: "想知道什么？", empty_lead: "例如：",
  example_1: "出差住酒店，一线城市每晚最多报销多少钱？", example_2: "年假可以结转到明年吗？",
  example_3: "How do I reset a forgotten password?",
  unknown: "文档里没有答案", unknown_searched: "已检索您可以阅读的文档", unknown_spaces: "范围：{spaces}", nearest: "最接近的文档：",
  sources: "出处", source: "出处 {marker}", version: "版本", page: "第 {n} 页", close: "关闭", original: "下载原件",
  quote: "引文", in_context: "上下文", context_gone: "这个版本的全文现在无法阅读，下面只有引文。", loading: "正在载入…",
  stopped: "已停止。", answered: "已作答，有 {n} 处引文。", abstained: "文档里没有答案。",
  space: "空间", find_title: "按标题查找", drop_here: "把文件拖到这里，或者", choose_files: "选择文件",
  drop_space: "上传到空间“{space}”。", uploads: "上传", title: "标题", classification: "密级", state: "状态", updated: "更新时间",
  more: "更多", no_documents: "这里还没有您可以阅读的文档。",
  level_public: "公开", level_internal: "内部", level_confidential: "机密", level_restricted: "绝密",
  up_sending: "正在上传", up_queued: "等待处理", up_indexed: "已入库", up_unchanged: "内容未变，无需处理", up_failed: "失败", up_skipped: "已跳过",
  stage_load: "解析", stage_clean: "清洗", stage_chunk: "切分", stage_embed: "向量化", stage_publish: "发布",
  state_indexed: "可用", state_pending: "处理中", state_staged: "待发布", state_failed: "失败", state_skipped: "已跳过",
  error_key: "密钥不正确，或者已经失效。请检查后重新输入。", error_down: "连不上服务器。请确认知库正在运行，然后再试。",
  error_busy: "服务器暂时无法回答，请稍后再试。", error_broken: "连接中断了，回答不完整，请再问一次。",
  error_other: "出错了：{detail}", error_trace: "（追踪号 {trace}）",
  reason_empty_file: "文件是空的，没有保存。", reason_no_text: "文件里没有文字；扫描件需要文字识别，目前没有启用。",
  reason_unsupported_media_type: "这种类型的文件不能读取。", reason_encoding_unknown: "认不出文字的编码，请另存为 UTF-8 后再上传。",
  reason_encrypted: "文件有密码，请去掉密码后再上传。", reason_broken_file: "文件已损坏，无法读取，请重新导出后再上传。",
  reason_too_many_pages: "页数超过了上限，请拆分后再上传。", reason_too_much_text: "文字超过了上限，请拆分后再上传。",
  reason_archive_expands_too_much: "文件解压后过大，请拆分后再上传。", reason_parse_timeout: "读取时间过长，已停止；请拆分后再上传。",
  reason_parse_memory: "读取需要的内存过多，已停止；请拆分后再上传。", reason_parser_crashed: "这个文件使解析进程崩溃，请重新导出后再上传。",
  reason_parser_error: "这个文件无法解析，请重新导出后再上传。", reason_superseded: "已有更新的版本。", reason_cancelled: "已取消。",
  reason_document_deleted: "文档已删除。", reason_payload_too_large: "文件超过了大小上限。", reason_forbidden: "您没有这样做的权限。",
  reason_external_id_taken: "这个空间里已有同名的另一份文档。",
};

const en = {
  skip: "Skip to content", tabs: "Pages", tab_ask: "Ask", tab_documents: "Documents", sign_out: "Sign out", sign_in: "Sign in",
  welcome: "Ask your company's documents",
  welcome_lead: "Answers come only from documents that you may read, each sentence with its source. What the documents don't say, Zhiku doesn't know, and says so.",
  key_label: "API key", key_hint: "The key stays in this tab and is forgotten when you close it. The sample people's keys are in credentials.json in the data folder.",
  conversation: "Conversation", question_label: "Question", question_placeholder: "Ask a question (Shift + Enter: new line)",
  search_in: "In", all_spaces: "all spaces", new_conversation: "New conversation", send: "Ask", stop: "Stop",
  searching: "Searching…", found: "Found {n} passages, answering…", found_none: "Nothing found.",
  empty_title: "What would you like to know?", empty_lead: "For example:",
  example_1: "What happens in the first ten minutes of a P1 incident?", example_2: "How do I reset a forgotten password?",
  example_3: "出差住酒店，一线城市每晚最多报销多少钱？",
  unknown: "The documents don't say", unknown_searched: "Searched: the documents that you may read", unknown_spaces: "In: {spaces}", nearest: "Nearest documents:",
  sources: "Sources", source: "Source {marker}", version: "Version", page: "page {n}", close: "Close", original: "Download the original",
  quote: "Quote", in_context: "In context", context_gone: "The full text of this version can't be read now; here is the quote alone.", loading: "Loading…",
  stopped: "Stopped.", answered: "Answered, with {n} citations.", abstained: "The documents don't say.",
  space: "Space", find_title: "Find by title", drop_here: "Drop files here or", choose_files: "choose files",
  drop_space: "They go to the space “{space}”.", uploads: "Uploads", title: "Title", classification: "Classification", state: "State", updated: "Updated",
  more: "More", no_documents: "There is no document here yet that you may read.",
  level_public: "public", level_internal: "internal", level_confidential: "confidential", level_restricted: "restricted",
  up_sending: "Uploading", up_queued: "Waiting", up_indexed: "Indexed", up_unchanged: "Unchanged, nothing to do", up_failed: "Failed", up_skipped: "Skipped",
  stage_load: "reading", stage_clean: "cleaning", stage_chunk: "splitting", stage_embed: "embedding", stage_publish: "publishing",
  state_indexed: "ready", state_pending: "in progress", state_staged: "about to be published", state_failed: "failed", state_skipped: "skipped",
  error_key: "This key is not accepted, or no longer. Please check it and enter it again.", error_down: "The server can't be reached. Check that Zhiku is running, then try again.",
  error_busy: "The server can't answer at the moment. Please try again shortly.", error_broken: "The connection broke and the answer is incomplete. Please ask again.",
  error_other: "Something went wrong: {detail}", error_trace: " (trace {trace})",
};

const LANGUAGES = { zh, en };
const REMEMBERED = "zhiku.language";

export let language = localStorage.getItem(REMEMBERED) ?? (navigator.language.startsWith("zh") ? "zh" : "en");

/** The words for `name`, with `{slots}` filled in; the name itself if there are none. */
export function words(name, slots = {}) {
  const text = LANGUAGES[language][name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, slot) => String(slots[slot] ?? ""));
}

export const known = (name) => name in LANGUAGES[language];

/** Why something was refused or not indexed: the server says it in English, `code` may have words in the present language. */
export const reasonOf = ({ code, detail }) => (known(`reason_${code}`) ? words(`reason_${code}`) : detail);

/** Show the fixed words of the page in the present language. */
export function applyWords() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = words(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", words(node.dataset.label));
  for (const node of document.querySelectorAll("[data-placeholder]")) node.placeholder = words(node.dataset.placeholder);
  const toggle = document.getElementById("language");
  toggle.textContent = language === "zh" ? "English" : "中文";
  toggle.lang = language === "zh" ? "en" : "zh-CN";
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem(REMEMBERED, language);
  applyWords();
}
