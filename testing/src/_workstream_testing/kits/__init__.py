"""``check_plugin`` and ``check_vault``: whether what others write keeps its contract."""
