// The form of language models: help that follows the chosen provider.
document.addEventListener("DOMContentLoaded", () => {
    const data = document.getElementById("provider-help");
    const place = document.getElementById("provider-words");
    const provider = document.getElementById("id_provider");
    if (!data || !place || !provider) {
        return;
    }
    const help = JSON.parse(data.textContent);
    const model = document.getElementById("id_model");
    const show = () => {
        const found = help[provider.value];
        place.textContent = found ? found.text : "Choose a provider to see what it needs.";
        if (model) {
            model.placeholder = found ? found.model : "";
        }
    };
    provider.addEventListener("change", show);
    show();
});
