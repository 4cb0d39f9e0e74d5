"""Step Functions on the local cloud: MiniStack's API, and behind it the interpreter of the States Language that moto carries.

Both are used through private names, here and nowhere else; their versions are pinned.
"""
