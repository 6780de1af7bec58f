"""Where models, messages and tasks come from, for the rules that prepare them; no rule stands here."""

from importlib.metadata import PackageNotFoundError, version

from ethos.stage_settings import PromptSource


def prompt_source(prompts):
    """Where messages from elsewhere come from, as JSON."""
    return canonical_json(prompts.model_dump(mode="json", include=set(PromptSource.model_fields)))


def prompts_folder(prompts):
    """The folder of messages in the store. A file's is named by its content too: another content is another set."""
    content = sha256_of_file(prompts.file) if prompts.file else ""
    name = re.split(r"[/:@]", prompts.source.partition("@")[0])[-1]
    return f"{name}-{sha256_of_text(prompt_source(prompts) + content)[:12]}"


def tasks_folder():
    """The folder of prepared tasks in the store. Our own are named by their content too, others by the harness's version."""
    names = settings.evaluation.capabilities.tasks
    try:
        harness = version("lm_eval")
    except PackageNotFoundError:
        harness = ""
    own = [sha256_of_file(Path(path)) for path in own_tasks()]
    return sha256_of_text(canonical_json([names, own, harness]))[:12]


def own_tasks():
    """The files of the tasks that are our own, watched by their content (`tasks_folder`)."""
    names = settings.evaluation.capabilities.tasks
    return sorted(str(path) for name in names for path in Path("tasks").glob(f"{name}.*"))


tasks = f"{store}/tasks/{tasks_folder()}/tasks.json"
asked_tasks = [tasks] if "capabilities" in settings.evaluation.which else []

prompt_folders = {prompts_folder(prompts): prompts for prompts in settings.questions.extra}
prompt_tables = [
    f"{store}/prompts/{prompts_folder(prompts)}/prompts.parquet"
    for prompts in settings.questions.extra
]


def model_files(wildcards):
    """The files of a local model, so that a change in them is seen; none for one that is fetched."""
    folder = settings.models[model_folders[wildcards.folder]].local
    return sorted(str(path) for path in folder.glob("*") if path.is_file()) if folder else []


def prompts_file(wildcards):
    """The file that messages come from, watched by its content (`prompts_folder`); none for those that are fetched."""
    file = prompt_folders[wildcards.prompts].file
    return [ancient(str(file))] if file else []


def prompts_source(wildcards):
    """Where the messages in a folder of the store come from, as JSON."""
    return prompt_source(prompt_folders[wildcards.prompts])


def model_name(wildcards):
    """The name in the config of the model in a folder of the store."""
    return model_folders[wildcards.folder]


def model_source(wildcards):
    """Where the model in a folder of the store comes from, as JSON."""
    return settings.models[model_name(wildcards)].as_json()


def model_classifies(wildcards):
    """The option for a model that only classifies, and needs no chat template."""
    roles = (settings.teacher, settings.judge, *settings.students)
    return "" if model_name(wildcards) in roles else "--classifies"


wildcard_constraints:
    prompts="|".join(map(re.escape, prompt_folders)) or "none",
